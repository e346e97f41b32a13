/** The network, its members, and which app this is. */
import { useEffect, useState } from "preact/hooks";
import { network } from "../../app/store.ts";
import { fill, say, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Part, Title } from "../../ui/parts.tsx";

/** The SHA-256 of the manifest that this member shows. */
async function release(): Promise<string> {
  const r = await fetch("/manifest", { cache: "no-store" });
  if (!r.ok) return "";
  const h = await crypto.subtle.digest("SHA-256", await r.arrayBuffer());
  return [...new Uint8Array(h)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

export function About() {
  const w = words.value.about;
  const n = network.value;
  const [hash, setHash] = useState("");
  useEffect(() => {
    release().then(setHash, () => setHash(""));
  }, []);
  if (!n) return <Title back="/more">{words.value.more.about}</Title>;
  const home = n.members.find((m) => m.number === n.home);
  return (
    <div class="page">
      <Title back="/more">{words.value.more.about}</Title>
      <p class="lead">
        <bdi>{n.name}</bdi>
      </p>
      <p>{home && say(w.home, { name: <bdi>{home.name}</bdi> })}</p>
      <p>{fill(w.validators, { n: n.validators })}</p>
      <Part title={w.members}>
        <ul class="card rows">
          {n.members.map((m) => (
            <li class="row" key={m.number}>
              <span class="row-icon">
                <Icon name="building" />
              </span>
              <span class="row-text">
                <span class="row-title">
                  <bdi>{m.name}</bdi>
                </span>
                <span class="row-more">{words.value.sharing.kind[m.kind as "other"] ?? words.value.sharing.kind.other}</span>
              </span>
            </li>
          ))}
        </ul>
      </Part>
      <Part title={w.id}>
        <p class="card text">
          <code dir="ltr">{n.id}</code>
        </p>
      </Part>
      <Part title={w.release}>
        <p class="quiet">{w.releaseWhy}</p>
        <p class="card text">
          <code dir="ltr">{hash}</code>
        </p>
      </Part>
    </div>
  );
}
