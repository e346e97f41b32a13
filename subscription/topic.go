package subscription

import (
	"net/url"
	"strings"

	"vitalog/fhir"
	"vitalog/section"
)

// Topic is something that can be subscribed to. What it watches are entries of a patient's logs.
type Topic struct {
	URL, Title, Description string
	Resources               bool // its events are about resources: they can be filtered by type, and told with id or content
}

// The topics. Their addresses are permanent.
const (
	ResourceChange = "urn:vitalog:topic:resource-change"
	RecordAccess   = "urn:vitalog:topic:record-access"
	ConsentChange  = "urn:vitalog:topic:consent-change"
)

// Topics are all that there are.
var Topics = []Topic{
	{ResourceChange, "A resource of a patient was created, updated or deleted",
		"Entries of the patient's logs that a grant to this member for the subscription's purpose covers. Filters: patient, and the resource type.", true},
	{RecordAccess, "Somebody read a patient's record, or tried to",
		"Accesses in the logs of a patient who is in this member's custody: allowed ones and refused ones. Filter: patient.", false},
	{ConsentChange, "A patient's consent changed",
		"Grants and revokes in the logs of a patient who is in this member's custody; for other patients the grants to this member for the subscription's purpose. Filter: patient.", false},
}

func topicOf(url string) *Topic {
	for i := range Topics {
		if Topics[i].URL == url {
			return &Topics[i]
		}
	}
	return nil
}

// filter is what the criteria of a subscription come to.
type filter struct {
	patient string
	types   []string // any of these; none: all
}

// add reads one filter criterion: patient=…, or a resource type before it with a question mark.
func (f *filter) add(t *Topic, at, text string) error {
	kind, query, typed := strings.Cut(text, "?")
	if !typed {
		kind, query = "", text
	}
	q, err := url.ParseQuery(query)
	if err != nil || len(q) != 1 || len(q["patient"]) != 1 {
		return wrong(at, "takes one parameter, patient, with a resource type before it or without: Observation?patient=Patient/ and the id")
	}
	ref := fhir.ParseReference(q.Get("patient"))
	if fhir.ValidID(q.Get("patient")) {
		ref = fhir.Reference{Type: "Patient", ID: q.Get("patient")}
	}
	switch {
	case ref.Type != "Patient" || ref.ID == "" || ref.Base != "" || ref.Version != "":
		return wrong(at, "names no patient: patient=Patient/ and the id")
	case f.patient != "" && f.patient != ref.ID:
		return wrong(at, "names another patient than the one before; make a subscription for each")
	case kind != "" && !t.Resources:
		return wrong(at, "has a resource type, which this topic can't be filtered by")
	case kind != "" && section.Where(kind) == nil:
		return wrong(at, "has a resource type that no patient's record has")
	}
	f.patient = ref.ID
	if kind != "" {
		f.types = append(f.types, kind)
	}
	return nil
}
