// The accessibility trees of the main views. A changed tree changes what screen readers announce.
import { ready } from "../support/pages";
import { expect, test } from "../support/test";

test("screen readers get the list and a conversation as specified", async ({ alice, bob, conversation }) => {
  await bob.apiSend(conversation, "Hello", "Are you there?");
  const here = await alice.open(conversation, bob);
  await expect(here.divider(2)).toBeVisible();
  await expect(alice.page.getByRole("navigation", { name: "Conversations" })).toMatchAriaSnapshot(`
    - navigation "Conversations":
      - link "Duet, home"
      - link "Invite someone"
      - search:
        - combobox "Find a person"
      - list:
        - listitem:
          - link /Bob Byrne \\d\\d:\\d\\d Are you there\\?/
      - link /Alice Arden @alice\\.arden ?, Settings/
      - button "Sign out"
  `);
  await expect(alice.page.getByRole("main")).toMatchAriaSnapshot(`
    - main:
      - link /Bob Byrne .*@bob\\.byrne/:
        - heading "Bob Byrne" [level=1]
      - log "Conversation with Bob Byrne":
        - paragraph: Beginning of conversation
        - list:
          - listitem:
            - separator "Today"
            - separator "2 new messages"
            - article:
              - text: "Bob Byrne: Hello"
              - paragraph:
                - time: /\\d\\d:\\d\\d/
          - listitem:
            - article:
              - text: "Bob Byrne: Are you there?"
              - paragraph:
                - time: /\\d\\d:\\d\\d/
      - form "Write a message":
        - button "Emoji"
        - textbox "Message to Bob Byrne"
        - button "Send"
  `);
});

test("screen readers get the settings as specified", async ({ alice }) => {
  await alice.page.goto("/settings");
  await ready(alice.page);
  await expect(alice.page.getByRole("main")).toMatchAriaSnapshot(`
    - main:
      - heading "Settings" [level=1]
      - region "Profile":
        - textbox "Your name"
        - button "Save"
      - region "Appearance":
        - group "Theme":
          - radio "System" [checked]
          - radio "Light"
          - radio "Dark"
        - combobox "Language"
        - group "Time format":
          - radio "Default" [checked]
          - radio "12-hour"
          - radio "24-hour"
      - region "Notifications":
        - group "Notifications":
          - switch "Show notifications"
          - switch "Show message text"
          - switch "Play a sound"
      - region "Privacy":
        - switch "Read receipts" [checked]
        - switch "Online and last seen" [checked]
      - region "Change password":
        - textbox "Current password"
        - textbox "New password"
        - switch "Also withdraw open invitations"
        - button "Change password"
      - region "Keyboard":
        - button "Show all shortcuts"
      - region "Devices":
        - list:
          - listitem: /This device/
      - region "Delete account"
  `);
});
