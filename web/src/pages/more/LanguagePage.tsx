/** The app's language. Each names itself. */
import { type Language, language, languages, speak, words } from "../../i18n/index.ts";
import { Choice, Title } from "../../ui/parts.tsx";

export function LanguagePage() {
  return (
    <div class="page">
      <Title back="/more">{words.value.more.language}</Title>
      <Choice
        title={words.value.more.language}
        value={language.value}
        set={(l) => void speak(l)}
        options={(Object.keys(languages) as Language[]).map((l) => ({
          value: l,
          label: (
            <bdi lang={l} key={l}>
              {languages[l]}
            </bdi>
          ),
        }))}
      />
    </div>
  );
}
