// An app on fhirclient's server API, as its documentation shows it: /launch sends the person to sign in, /app uses what comes back.
// It prints its own address, then one line of JSON for each visit of /app.
import http from "node:http";
import smart from "fhirclient";

const iss = process.argv[2];
const sessions = new Map();

// storage keeps the state of one session, as an express session would.
const storage = {
  async get(key) { return sessions.get(key); },
  async set(key, value) { sessions.set(key, value); return value; },
  async unset(key) { return sessions.delete(key); },
};

const server = http.createServer(async (req, res) => {
  req.query = Object.fromEntries(new URL(req.url, "http://localhost").searchParams);
  res.redirect = (status, to) => { if (to === undefined) [status, to] = [302, status]; res.writeHead(status, { Location: to }).end(); };
  const at = `http://localhost:${server.address().port}`;
  try {
    if (req.url.startsWith("/launch")) {
      await smart(req, res, storage).authorize({ iss, clientId: "fhirclient", redirectUri: `${at}/app`, pkceMode: "required",
        scope: "launch/patient openid fhirUser offline_access patient/*.rs" });
      return;
    }
    const client = await smart(req, res, storage).ready();
    const patient = await client.patient.read();
    const observations = await client.request(`Observation?patient=${client.patient.id}`);
    const before = client.state.tokenResponse.refresh_token;
    await client.refresh();
    const again = await client.patient.read();
    console.log(JSON.stringify({ patient: patient.id, again: again.id, total: observations.total, user: client.getIdToken().sub, rotated: before !== client.state.tokenResponse.refresh_token }));
    res.end("done");
  } catch (e) {
    console.log(JSON.stringify({ error: String(e.stack || e) }));
    res.writeHead(500).end("failed");
  }
});
server.listen(0, "localhost", () => console.log(`http://localhost:${server.address().port}`));
