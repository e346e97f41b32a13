/** Passkeys whose PRF unwraps the root. The browser asks for finger, face or PIN; what PRF gives goes to the vault and nowhere else. */
import { state } from "./store.ts";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (b) => Number.parseInt(b, 16));
const base64url = (b: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(b)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
const decoded = (s: string) => Uint8Array.from(atob(s.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

export const possible = (): boolean => typeof PublicKeyCredential === "function" && isSecureContext;

interface Given {
  id: string;
  prf: Uint8Array;
}

function given(c: Credential | null): Given | null {
  if (!(c instanceof PublicKeyCredential)) return null;
  const first = c.getClientExtensionResults().prf?.results?.first;
  if (!first) return null;
  const raw = ArrayBuffer.isView(first) ? new Uint8Array(first.buffer, first.byteOffset, first.byteLength) : new Uint8Array(first);
  return { id: base64url(c.rawId), prf: raw };
}

/** Asks for one of the passkeys by its salt. Null: the person didn't want to, or the device can't. */
export async function ask(id: string, salt: string): Promise<Given | null> {
  try {
    return given(
      await navigator.credentials.get({
        publicKey: {
          challenge: crypto.getRandomValues(new Uint8Array(32)),
          allowCredentials: [{ type: "public-key", id: decoded(id) }],
          userVerification: "required",
          extensions: { prf: { eval: { first: bytes(salt) } } },
        },
      }),
    );
  } catch {
    return null;
  }
}

/** Makes a passkey. Some authenticators evaluate PRF only when they are asked again. */
export async function make(name: string): Promise<(Given & { salt: string }) | null> {
  const salt = [...crypto.getRandomValues(new Uint8Array(32))].map((b) => b.toString(16).padStart(2, "0")).join("");
  try {
    const made = await navigator.credentials.create({
      publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        rp: { name: "Vitalog" },
        user: { id: crypto.getRandomValues(new Uint8Array(16)), name, displayName: name },
        pubKeyCredParams: [
          { type: "public-key", alg: -8 },
          { type: "public-key", alg: -7 },
          { type: "public-key", alg: -257 },
        ],
        excludeCredentials: (state.value?.passkeys ?? []).map((p) => ({ type: "public-key", id: decoded(p.id) })),
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        extensions: { prf: { eval: { first: bytes(salt) } } },
      },
    });
    if (!(made instanceof PublicKeyCredential) || !made.getClientExtensionResults().prf?.enabled) return null;
    const g = given(made) ?? (await ask(base64url(made.rawId), salt));
    return g && { ...g, salt };
  } catch {
    return null;
  }
}
