/** The app begins here: the language, the network, then the page. */
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/pages.css";
import { render } from "preact";
import { followHistory } from "./app/route.ts";
import { Shell } from "./app/Shell.tsx";
import { preferred, speak } from "./i18n/index.ts";

followHistory();
const root = document.getElementById("app");
void speak(preferred()).then(() => root && render(<Shell />, root));
