/**
 * A home member of a walk's own: it relays to a real one, notes whatever browsers ask, and lies or is gone when the walk wants it.
 *
 *     const r = await relay("http://localhost:18441");
 *     r.lie = { receipt: (answer, body) => old };      // until it is null again, what these calls answer
 *     r.gone = true;                                   // nobody answers, and streams break off
 */
import { createServer, request } from "node:http";
import { gzipSync } from "node:zlib";

async function whole(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

export async function relay(home) {
  const to = new URL(home);
  const r = { url: "", gone: false, lie: null, asked: [], assets: new Map(), close: () => {}, cut: () => {} };
  const open = new Set();
  const server = createServer(async (q, a) => {
    if (r.gone) return q.socket.destroy();
    const body = await whole(q);
    r.asked.push(Buffer.from(`${q.method} ${q.url}\n${q.rawHeaders.join("\n")}\n`), body);
    const call = q.url.match(/^\/app\/v1\/([a-z-]+)$/)?.[1];
    const lie = call && r.lie?.[call];
    const up = request(
      { hostname: to.hostname, port: to.port, path: q.url, method: q.method, headers: { ...q.headers, host: to.host } },
      async (answer) => {
        if (call === "follow") {
          a.writeHead(answer.statusCode, answer.headers);
          return answer.pipe(a);
        }
        const said = await whole(answer);
        if (!call) r.assets.set(q.url, answer.headers["content-encoding"] === "gzip" ? said.length : gzipSync(said).length);
        if (r.gone) return q.socket.destroy();
        const told = lie && answer.statusCode === 200 ? Buffer.from(await lie(said, body)) : said;
        delete answer.headers["transfer-encoding"];
        a.writeHead(answer.statusCode, { ...answer.headers, "content-length": told.length });
        a.end(told);
      },
    );
    up.on("error", () => q.socket.destroy());
    a.on("close", () => up.destroy());
    up.end(body);
  });
  server.on("connection", (s) => {
    open.add(s);
    s.on("close", () => open.delete(s));
  });
  await new Promise((done) => server.listen(0, "localhost", done));
  r.url = `http://localhost:${server.address().port}`;
  r.close = () => {
    for (const s of open) s.destroy();
    server.close();
  };
  /** Cuts the line, what is under way too, or joins it again. */
  r.cut = (off) => {
    r.gone = off;
    if (off) for (const s of open) s.destroy();
  };
  return r;
}
