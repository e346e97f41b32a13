// Sends the messages that come as a JSON array on standard input to the port, one after the other, with a client that nobody here wrote, and
// prints the text of each acknowledgement as JSON, one on a line.
import { Client, Message } from "node-hl7-client";
import { text } from "node:stream/consumers";

const messages = JSON.parse(await text(process.stdin));
const client = new Client({ host: "localhost" });
let heard;
const connection = client.createConnection({ port: Number(process.argv[2]), waitAck: true }, (answer) => heard(answer.getMessage().toString()));
connection.on("error", (e) => { console.error(String(e)); process.exit(1); });
for (const raw of messages) {
  const answer = new Promise((hear) => { heard = hear; });
  await connection.sendMessage(new Message({ text: raw }));
  console.log(JSON.stringify(await answer));
}
process.exit(0); // the client would keep its connection
