import { expect, test } from "../support/test";

const ADDRESS = "https://example.org/a_(b)";
/** Characters with which an address may end by the URL rules. */
const KEPT = "/#%&@-_";
/** Characters that may follow an address in a text: all punctuation, space and format characters of the browser. */
const SIGNS = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter((sign) => /[\p{P}\p{Z}\p{Cf}]/u.test(sign));

/** Packs the lines into as few messages as possible. */
function messages(lines: string[]): string[] {
  const bodies: string[] = [];
  for (const line of lines) {
    const last = bodies.at(-1);
    if (last !== undefined && [...last].length + [...line].length < 3_900) bodies[bodies.length - 1] = `${last}\n${line}`;
    else bodies.push(line);
  }
  return bodies;
}

const unescape = (text: string) => text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&#x27;", "'");

for (const [locale, before, after] of [["en-GB", "See", "and then"], ["de-DE", "Siehe", "und dann"], ["ar-EG", "انظر", "ثم"]] as const) {
  test.describe(`in ${locale}`, () => {
    test.use({ locale });

    test("a link ends before every punctuation and space of Unicode, from the server and in the browser", async ({ createUser, alice, watch }) => {
      const reader = await createUser("Rita Reader", { locale });
      const conversation = await alice.apiConversation(reader);
      expect(SIGNS.length).toBeGreaterThan(900);
      await alice.apiSend(conversation, ...messages(SIGNS.map((sign) => `${before} ${ADDRESS}${sign} ${after}`)));
      const expected = SIGNS.map((sign) => (KEPT.includes(sign) ? ADDRESS + sign : ADDRESS));

      const html = await (await reader.context.request.get(`/c/${conversation}`, { headers: { "accept-language": locale } })).text();
      expect(html).toContain(`lang="${locale.slice(0, 2)}"`);
      const rendered = [...html.matchAll(/<a\s[^>]*href="(https:\/\/example[^"]*)"/g)].map(([, address]) => unescape(address ?? ""));
      expect(rendered, "as the server renders it").toEqual(expected);

      const here = await reader.open(conversation, alice);
      const links = here.page.locator(".body a");
      expect(await links.evaluateAll((links) => links.map((link) => link.getAttribute("href"))), "once the page is live").toEqual(expected);
      expect(await links.evaluateAll((links) => links.map((link) => link.textContent))).toEqual(expected);
      await expect(here.page.locator(".real-host"), "no host looks like another site").toHaveCount(0);
      expect(watch.problems()).toEqual([]);
    });
  });
}

test("links are recognised within ordinary text", async ({ alice, bob, conversation }) => {
  const texts: [text: string, ...links: string[]][] = [
    ["见https://example.org/a。然后", "https://example.org/a"],
    ["「https://example.org/a」と《https://example.org/b》", "https://example.org/a", "https://example.org/b"],
    ["«https://example.org/a», “https://example.org/b”, „https://example.org/c“", "https://example.org/a", "https://example.org/b", "https://example.org/c"],
    ["https://example.orgです", "https://example.org"],
    ["http://[::1]:3000/x, https://[2001:db8::1]/.", "http://[::1]:3000/x", "https://[2001:db8::1]/"],
    ["(https://en.wikipedia.org/wiki/Duet_(disambiguation))", "https://en.wikipedia.org/wiki/Duet_(disambiguation)"],
    ["请写信给anna@example.org。", "mailto:anna@example.org"],
    ["mailto:anna@example.org?subject=Hi.", "mailto:anna@example.org?subject=Hi"],
    ["انظر https://example.org/a، ثم https://example.org/b؟", "https://example.org/a", "https://example.org/b"],
    ["See example.org, www.example.org or Example.org/path?x=1.", "https://example.org", "https://www.example.org", "https://Example.org/path?x=1"],
    ["e.g. main.rs, file.txt, 3.14, U.S. and Hello.World"],
    ["Call +49 30 1234567, not 12345678.", "tel:+49301234567"],
  ];
  await alice.apiSend(conversation, ...texts.map(([text]) => text));
  const here = await bob.open(conversation, alice);
  const found = await here.page.locator(".body").evaluateAll((bodies) => bodies.map((body) => [...body.querySelectorAll("a")].map((link) => link.getAttribute("href"))));
  expect(found).toEqual(texts.map(([, ...links]) => links));
  await expect(here.page.locator(".real-host")).toHaveCount(0);
});

test("internationalised hosts become links as typed, and show their ASCII names", async ({ alice, bob, conversation }) => {
  await alice.apiSend(conversation, "https://пример.рф/a", "bücher.example", "пример.рф");
  const links = ["https://пример.рф/a", "https://bücher.example", "https://пример.рф"];
  const html = await (await bob.context.request.get(`/c/${conversation}`)).text();
  for (const link of links) expect(html).toContain(`href="${link}"`);
  const here = await bob.open(conversation, alice);
  const found = await here.page.locator(".body a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  expect(found).toEqual(links);
  await expect(here.page.locator(".real-host")).toHaveText([/xn--e1afmkfd\.xn--p1ai/, /xn--bcher-kva\.example/, /xn--e1afmkfd\.xn--p1ai/]);
});
