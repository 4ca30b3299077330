// Takes the pictures in docs/screens: `make screens`.
import path from "node:path";
import type { Page } from "@playwright/test";
import { Device, local } from "./support/authenticator";
import { ready, SignInPage, SignUpPage } from "./support/pages";
import { painted } from "./support/painting";
import { Network } from "./support/network";
import { expect, test } from "./support/test";

const directory = path.join(__dirname, "../docs/screens");
const sizes = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

for (const colorScheme of ["light", "dark"] as const) {
  for (const [size, viewport] of Object.entries(sizes)) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ colorScheme, viewport });

      const shoot = async (page: Page, name: string) => {
        await page.evaluate(() => document.fonts.ready);
        const file = path.join(directory, `${name}-${size}-${colorScheme}.png`);
        await page.screenshot({ path: file, animations: "disabled", caret: "hide" });
      };

      test("sign-up and sign-in", async ({ page, watch }) => {
        watch.allow(/./);
        const signUp = new SignUpPage(page);
        await signUp.goto();
        await ready(page);
        await shoot(page, "sign-up");
        await signUp.submit("anna.berg", "Anna Berg", "sunshinesunshine");
        await expect(signUp.password).toHaveAttribute("aria-invalid", "true");
        await shoot(page, "sign-up-refused");
        const signIn = new SignInPage(page);
        await signIn.goto();
        await ready(page);
        await shoot(page, "sign-in");
        await signIn.submit("anna.berg", "not the password");
        await expect(page.getByRole("alert").filter({ hasText: /\w/ })).toBeVisible();
        await shoot(page, "sign-in-refused");
      });

      test("an empty server and a page that is not found", async ({ createUser, watch }) => {
        watch.allow(/./);
        const anna = await createUser("Anna Berg");
        await anna.home();
        await shoot(anna.page, "home-empty");
        const emil = await createUser("Emil Sand");
        const here = await anna.open(await anna.apiConversation(emil), emil);
        await expect(here.box).toBeVisible();
        await shoot(anna.page, "conversation-empty");
        await anna.page.goto("/nothing/here");
        await shoot(anna.page, "not-found");
      });

      test("a conversation", async ({ createUser, watch }) => {
        watch.allow(/./);
        const anna = await createUser("Anna Berg");
        const others = ["Emil Sand", "Noor Haddad", "Jonas Wirth", "Mei Tanaka", "Sofia Rossi", "Grandma Inge"];
        const [emil, noor, jonas, mei, sofia, inge] = await Promise.all(others.map((name) => createUser(name)));
        if (!emil || !noor || !jonas || !mei || !sofia || !inge) throw new Error("a user is missing");

        await jonas.apiSend(await jonas.apiConversation(anna), "The train leaves at 8:12, platform 4.");
        await anna.apiSend(await anna.apiConversation(mei), "The photos are wonderful, thank you!");
        await sofia.apiSend(await sofia.apiConversation(anna), "Did you see this? https://example.org/concert", "Tickets go on sale tomorrow");
        await inge.apiSend(await inge.apiConversation(anna), "Call me when you have time, dear. Nothing urgent.");
        const withNoor = await noor.apiConversation(anna);
        await noor.apiSend(withNoor, "I finished the draft. Could you look at the second chapter?");
        const conversation = await emil.apiConversation(anna);
        await emil.apiSend(conversation, "Morning! Are we still on for Saturday?");
        await anna.apiSend(conversation, "Of course. I found a path along the river, about twelve kilometres.", "There is a small café halfway, with apricot cake.");
        await emil.apiSend(conversation, "You had me at cake.", "🍰");
        await anna.apiSend(conversation, "Here is the map: https://example.org/river-walk");
        await emil.apiSend(
          conversation,
          "Looks lovely. It may rain in the afternoon, so let us start early. I will bring the thermos and the good biscuits, you bring the umbrella that nearly flew away last time.",
        );
        await anna.apiSend(conversation, "Deal. Half past eight at the bridge?");

        const emils = await emil.open(conversation, anna);
        const here = await anna.open(conversation, emil);
        await emils.write("Half past eight it is.");
        await expect(here.message("Half past eight it is.")).toBeVisible();
        await here.write("See you there!");
        await here.expectState("See you there!", "read");
        await emils.expectState("Half past eight it is.", "read");
        await shoot(anna.page, "conversation");

        const home = await anna.home();
        await expect(home.entry(emil.name)).toContainText("See you there!");
        await shoot(anna.page, "list");
        await home.search.fill("so");
        await expect(home.result(sofia.name)).toBeVisible();
        await expect(anna.page.getByText("Searching…")).toBeHidden();
        await shoot(anna.page, "search");
        await home.search.fill("zoltan");
        await expect(anna.page.getByText(/Nobody found for .zoltan/)).toBeVisible();
        await expect(home.result(sofia.name)).toBeHidden();
        await shoot(anna.page, "search-nobody");

        const withSofia = await anna.open(await anna.apiConversation(sofia), sofia);
        await expect(withSofia.divider(2)).toBeVisible();
        await shoot(anna.page, "conversation-unread");

        const network = await Network.of(anna.context);
        const cut = await anna.open(withNoor, noor);
        network.refuse("body_control_character");
        await cut.write("Gladly. Send me the page numbers?");
        await cut.expectState("Gladly. Send me the page numbers?", "not sent");
        network.refuse(undefined);
        await anna.context.setOffline(true);
        await cut.write("I can read it tonight, on the train.");
        await cut.expectState("I can read it tonight, on the train.", "sending");
        await expect(anna.page.getByText(/Waiting for the network|offline/i).first()).toBeVisible();
        await shoot(anna.page, "conversation-unsent");
      });

      test("settings and invitations", async ({ createUser, browser, server, watch }) => {
        watch.allow(/./);
        const anna = await createUser("Anna Berg");
        await anna.page.goto("/settings");
        await ready(anna.page);
        await shoot(anna.page, "settings");
        await anna.page.getByRole("heading", { name: "Privacy" }).scrollIntoViewIfNeeded();
        await anna.page.locator(".settings").evaluate((column) => column.scrollTo(0, 700));
        await shoot(anna.page, "settings-privacy");
        await anna.page.getByText("Sign in another device…").click();
        const devices = anna.page.getByRole("region", { name: "Devices" });
        await devices.getByLabel("Password", { exact: true }).fill(anna.password);
        await devices.getByRole("button", { name: "Show the code" }).click();
        const deviceLink = devices.getByRole("textbox", { name: "Link that signs in another device" });
        const linkOfDevice = await deviceLink.inputValue();
        await devices.getByText("Scan this code").scrollIntoViewIfNeeded();
        await shoot(anna.page, "settings-device-link");
        await anna.page.getByText("Delete account…").click();
        await anna.page.locator(".settings").evaluate((column) => column.scrollTo(0, 99_999));
        await shoot(anna.page, "settings-delete");
        await anna.page.goto("/invite");
        await ready(anna.page);
        const link = anna.page.getByRole("textbox", { name: "Invitation link" });
        await expect(link).toBeVisible();
        await shoot(anna.page, "invite");
        const visitor = await browser.newContext({ baseURL: server.url, colorScheme, viewport });
        const page = await visitor.newPage();
        await page.goto(await link.inputValue());
        await ready(page);
        await shoot(page, "invited");
        await page.goto(linkOfDevice);
        await ready(page);
        await shoot(page, "device-link");
        await visitor.close();
      });

      test("requests, blocks and reports", async ({ createUser, server, watch }) => {
        watch.allow(/./);
        const anna = await createUser("Anna Berg");
        const emil = await createUser("Emil Sand");
        const [lena, sami] = [await createUser("Lena Christoffersen-Abendroth"), await createUser("Sami Haddad")];
        const known = await emil.apiConversation(anna);
        await emil.apiSend(known, "Morning! Are we still on for Saturday?");
        await anna.apiSend(known, "Of course.");
        await sami.apiSend(await sami.apiOpen(anna), "صباح الخير! هل ما زلنا على موعدنا يوم السبت؟");
        const stranger = await lena.apiOpen(anna);
        await lena.apiSend(
          stranger,
          "Hello Anna, I saw your notice about the bicycle at the library. Is it still for sale?",
          "I could come by on Thursday after work, or at any time on the weekend, and I would bring the money in cash.",
        );
        for (const language of ["en", "ar"]) {
          const suffix = language === "en" ? "" : "-arabic";
          await anna.context.addCookies([{ name: "duet-look", value: language, url: server.url }]);
          for (const [path, name] of [["/", "list-requests"], ["/requests", "requests"], [`/c/${stranger}`, "request"], [`/c/${known}/about`, "about"]]) {
            await anna.page.goto(path ?? "");
            await ready(anna.page);
            await shoot(anna.page, `${name}${suffix}`);
          }
          await anna.page.locator("#report summary, .folded summary").first().click();
          await expect(anna.page.getByRole("checkbox").first()).toBeVisible();
          await anna.page.locator(".report-reason").scrollIntoViewIfNeeded();
          await shoot(anna.page, `report${suffix}`);
        }
        await anna.context.addCookies([{ name: "duet-look", value: "en", url: server.url }]);
        await anna.page.goto(`/c/${known}/about`);
        await ready(anna.page);
        await anna.page.getByRole("button", { name: "8 hours" }).click();
        await anna.page.getByRole("button", { name: "Block" }).click();
        await expect(anna.page.getByRole("button", { name: "Unblock" })).toBeVisible();
        await shoot(anna.page, "about-blocked");
        await emil.apiSend(known, "Hello?");
        await anna.page.goto(`/c/${known}`);
        await ready(anna.page);
        await shoot(anna.page, "blocked");
        await anna.page.getByRole("button", { name: "Unblock" }).click();
        await expect(anna.page.getByRole("log").getByText("Sent while you had blocked this person")).toBeVisible();
        await shoot(anna.page, "withheld");
      });

      test("passkeys", async ({ createUser, server, watch }) => {
        watch.allow(/./);
        const anna = await createUser("Anna Berg");
        const page = await anna.context.newPage();
        await Device.of(page);
        await page.goto(`${local(server.url)}/sign-in?next=/settings`);
        await ready(page);
        await page.getByLabel("Username").fill(anna.username);
        await page.getByLabel("Password", { exact: true }).fill(anna.password);
        await page.getByRole("button", { name: "Sign in", exact: true }).click();
        await page.waitForURL(/settings/);
        await ready(page);
        const part = page.getByRole("region", { name: "Passkeys" });
        await part.getByText("Add a passkey…").click();
        await page.locator("#add-passkey-password").fill(anna.password);
        await page.locator("#passkey-name").fill("Anna’s phone");
        await part.getByRole("button", { name: "Add a passkey" }).click();
        await expect(part.getByRole("listitem")).toHaveCount(1);
        await part.getByRole("listitem").scrollIntoViewIfNeeded();
        await shoot(page, "settings-passkeys");
      });

      test("shortcuts, emoji and the message menu", async ({ createUser, watch }) => {
        watch.allow(/./);
        const anna = await createUser("Anna Berg");
        const emil = await createUser("Emil Sand");
        const conversation = await emil.apiConversation(anna);
        await emil.apiSend(conversation, "Shall we bring the tent, or sleep in the hut?");
        await anna.apiSend(conversation, "The hut! It has a stove, and the weather will turn.");
        const long = Array.from({ length: 30 }, (_, line) => `${line + 1}. Something to pack for the mountains`).join("\n");
        await emil.apiSend(conversation, long);
        await anna.apiSend(conversation, "I have most of that.");
        const here = await anna.open(conversation, emil);
        await shoot(anna.page, "conversation-folded");
        await here.message("I have most of that.").hover();
        await anna.page.getByRole("button", { name: "Message menu" }).click();
        await shoot(anna.page, "message-menu");
        await anna.page.keyboard.press("Escape");
        await anna.page.getByRole("button", { name: /emoji/i }).click();
        await expect(anna.page.getByRole("dialog").getByRole("option").first()).toBeVisible();
        await painted(anna.page);
        await shoot(anna.page, "emoji");
        await anna.page.keyboard.press("Escape");
        await anna.page.keyboard.press("Control+/");
        await expect(anna.page.getByRole("dialog")).toBeVisible();
        await shoot(anna.page, "shortcuts");
      });

      test("in Arabic and in German", async ({ createUser, server, watch }) => {
        watch.allow(/./);
        const anna = await createUser("Anna Berg");
        const sami = await createUser("Sami Haddad");
        const conversation = await sami.apiConversation(anna);
        await sami.apiSend(conversation, "صباح الخير! هل ما زلنا على موعدنا يوم السبت؟");
        await anna.apiSend(conversation, "بالتأكيد. وجدت طريقًا على طول النهر.", "Here is the map: https://example.org/river");
        await sami.apiSend(conversation, "رائع 🍰");
        await anna.context.addCookies([{ name: "duet-look", value: "ar", url: server.url }]);
        await anna.open(conversation, sami);
        await shoot(anna.page, "conversation-arabic");
        await anna.page.goto("/settings");
        await ready(anna.page);
        await shoot(anna.page, "settings-arabic");
        await anna.context.addCookies([{ name: "duet-look", value: "de", url: server.url }]);
        await anna.page.goto("/settings");
        await ready(anna.page);
        await shoot(anna.page, "settings-german");
      });
    });
  }
}
