import type { Locator } from "@playwright/test";

/** A pixel of a picture: its column, its row, and its colour. */
export type Pixel = [x: number, y: number, red: number, green: number, blue: number];

/** The painted pixels of a part of the page whose colour passes `keep`. */
export async function pixels(part: Locator, keep: (red: number, green: number, blue: number) => boolean): Promise<Pixel[]> {
  const png = (await part.screenshot({ caret: "initial" })).toString("base64");
  const { width, data } = await part.page().evaluate(async (png) => {
    const bytes = Uint8Array.from(atob(png), (byte) => byte.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const context = canvas.getContext("2d");
    context?.drawImage(picture, 0, 0);
    const data = context?.getImageData(0, 0, picture.width, picture.height).data ?? [];
    return { width: picture.width, data: Array.from(data) };
  }, png);
  const kept: Pixel[] = [];
  for (let at = 0; at + 3 < data.length; at += 4) {
    const [red = 0, green = 0, blue = 0] = data.slice(at, at + 3);
    if (keep(red, green, blue)) kept.push([(at / 4) % width, Math.floor(at / 4 / width), red, green, blue]);
  }
  return kept;
}

/** The relative luminance of a colour of a computed style, by the definition of WCAG. */
export function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map((part) => {
    const value = Number(part) / (colour.startsWith("rgb") ? 255 : 1);
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
