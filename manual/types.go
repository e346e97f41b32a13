package manual

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// statement is what the manual reads of a CapabilityStatement.
type statement struct {
	Rest []struct {
		Documentation string
		Security      struct{ Description string }
		Interaction   []struct{ Code string }
		Operation     []operation
		Resource      []struct {
			Type          string
			Documentation string
			Interaction   []struct{ Code string }
			SearchParam   []struct{ Name, Type, Documentation string }
			Operation     []operation
		}
	}
}

type operation struct{ Name, Definition string }

// types are pages of what the CapabilityStatement says: an overview, then one for each resource type.
func (w *writer) types() ([]draft, error) {
	var s statement
	if err := json.Unmarshal(w.Statement, &s); err != nil || len(s.Rest) != 1 {
		return nil, fmt.Errorf("manual: the CapabilityStatement can't be read: %w", err)
	}
	rest := s.Rest[0]
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Resource types\n\n%s\n\n%s\n\n", rest.Documentation, rest.Security.Description)
	b.WriteString("| type | interactions | operations |\n|---|---|---|\n")
	out := []draft{{path: Root + "/types", title: "Resource types"}}
	for _, r := range rest.Resource {
		var codes, operations []string
		for _, i := range r.Interaction {
			codes = append(codes, i.Code)
		}
		for _, o := range r.Operation {
			operations = append(operations, "`$"+o.Name+"`")
		}
		fmt.Fprintf(&b, "| [%s](types/%s) | %s | %s |\n", r.Type, r.Type, strings.Join(codes, ", "), strings.Join(operations, " "))
		var t bytes.Buffer
		fmt.Fprintf(&t, "# %s\n\nInteractions: %s.\n\n%s\n\n", r.Type, strings.Join(codes, ", "), r.Documentation)
		for _, o := range r.Operation {
			fmt.Fprintf(&t, "- `$%s`: `%s`\n", o.Name, o.Definition)
		}
		if len(r.SearchParam) > 0 {
			t.WriteString("\n## Search parameters\n\n| name | type | |\n|---|---|---|\n")
			for _, p := range r.SearchParam {
				fmt.Fprintf(&t, "| `%s` | %s | %s |\n", p.Name, p.Type, strings.ReplaceAll(p.Documentation, "|", `\|`))
			}
		}
		out = append(out, draft{path: Root + "/types/" + r.Type, title: r.Type, markdown: t.Bytes(), above: Root + "/types"})
	}
	out[0].markdown = b.Bytes()
	return out, nil
}

// TopicPath is where a topic is read as a SubscriptionTopic.
func TopicPath(t Topic) string {
	return Root + "/topics/" + t.URL[strings.LastIndexByte(t.URL, ':')+1:] + ".json"
}

// topic is a topic as a SubscriptionTopic of FHIR R5.
func (w *writer) topic(t Topic) []byte {
	type filter struct {
		Description string `json:"description"`
		Parameter   string `json:"filterParameter"`
	}
	type trigger struct {
		Description string `json:"description"`
		Resource    string `json:"resource"`
	}
	b, err := json.MarshalIndent(struct {
		ResourceType string    `json:"resourceType"`
		URL          string    `json:"url"`
		Title        string    `json:"title"`
		Status       string    `json:"status"`
		Description  string    `json:"description"`
		Trigger      []trigger `json:"resourceTrigger"`
		FilterBy     []filter  `json:"canFilterBy"`
	}{"SubscriptionTopic", t.URL, t.Title, "active", t.Description,
		[]trigger{{t.Title, "http://hl7.org/fhir/StructureDefinition/Resource"}}, []filter{{"The patient whose record it is", "patient"}}}, "", "  ")
	if err != nil { // strings always marshal
		panic(err)
	}
	return b
}

// openAPI is the description of what is not FHIR, with this member's address.
func (w *writer) openAPI() ([]byte, error) {
	raw, err := files.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	server, err := json.Marshal(strings.TrimSuffix(w.Base, "/fhir"))
	if err != nil {
		return nil, err
	}
	return bytes.Replace(raw, []byte(`"http://localhost"`), server, 1), nil
}
