/** Whether the browser may tell that something is new. */
import { useState } from "preact/hooks";
import { allowNotices, endNotices, noticesOn, noticesPossible } from "../../app/notice.ts";
import { tell } from "../../app/store.ts";
import { words } from "../../i18n/index.ts";
import { Check, Part, Title } from "../../ui/parts.tsx";

export function Notices() {
  const w = words.value.notices;
  const [on, setOn] = useState(noticesOn());
  const change = async (yes: boolean) => {
    if (!yes) endNotices();
    else if (!(await allowNotices())) tell(w.denied, true);
    setOn(noticesOn());
  };
  return (
    <div class="page">
      <Title back="/more">{words.value.more.notices}</Title>
      <p class="lead">{w.why}</p>
      <p class="card text">
        <strong>{words.value.app}</strong>: {w.text}
      </p>
      <Part title={words.value.more.notices}>
        {noticesPossible() ? <Check key={String(on)} label={w.on} on={on} set={(yes) => void change(yes)} /> : <p>{w.none}</p>}
      </Part>
      <p class="hint">{w.open}</p>
    </div>
  );
}
