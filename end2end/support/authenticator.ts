import type { CDPSession, Page } from "@playwright/test";

/** Passkeys work under `localhost`, not under the IP address that the other tests use. */
export function local(url: string): string {
  return url.replace("127.0.0.1", "localhost");
}

/** Chromium's virtual authenticator: a device of its own that keeps passkeys and verifies its user. */
export class Device {
  private constructor(
    readonly session: CDPSession,
    readonly id: string,
  ) {}

  static async of(page: Page): Promise<Device> {
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable", { enableUI: false });
    const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    return new Device(session, authenticatorId);
  }

  /** Moves the passkeys of this device to another one, as a synchronising password manager does. */
  async moveTo(other: Device): Promise<void> {
    const { credentials } = await this.session.send("WebAuthn.getCredentials", { authenticatorId: this.id });
    for (const credential of credentials) await other.session.send("WebAuthn.addCredential", { authenticatorId: other.id, credential });
  }

  async count(): Promise<number> {
    const { credentials } = await this.session.send("WebAuthn.getCredentials", { authenticatorId: this.id });
    return credentials.length;
  }

  /** Whether the user passes the device's check, such as a fingerprint. */
  async verifies(isUserVerified: boolean): Promise<void> {
    await this.session.send("WebAuthn.setUserVerified", { authenticatorId: this.id, isUserVerified });
  }
}
