package synthetic

import (
	"encoding/json"
	"fmt"
)

// Merge joins the batches of the sources that take wants into one FHIR transaction.
func Merge(batches []Batch, take func(Source) bool) ([]byte, error) {
	type bundle struct {
		ResourceType string            `json:"resourceType"`
		Type         string            `json:"type"`
		Entry        []json.RawMessage `json:"entry"`
	}
	out := bundle{ResourceType: "Bundle", Type: "transaction"}
	for _, b := range batches {
		if !take(b.Source) {
			continue
		}
		var one bundle
		if err := json.Unmarshal(b.Bundle, &one); err != nil {
			return nil, fmt.Errorf("batch of %v: %w", b.Source, err)
		}
		out.Entry = append(out.Entry, one.Entry...)
	}
	return json.Marshal(out)
}
