import { createHmac } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/**
 * The code that an authenticator app shows for a key (RFC 6238), now or a number of time steps later. The server accepts the code of
 * the next step during the whole present step and the whole next one, and each code once.
 */
export function appCode(key: string, stepsAhead = 0): string {
  const bits = [...key].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = Buffer.from(bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + stepsAhead));
  const hash = createHmac("sha1", bytes).update(step).digest();
  const word = hash.readUInt32BE(hash.readUInt8(19) & 15) & 0x7fffffff;
  return String(word % 1_000_000).padStart(6, "0");
}
