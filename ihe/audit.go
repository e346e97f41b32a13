package ihe

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"vitalog/consent"
)

// Access is one thing that was done with a patient's records, as the ledger has it.
type Access struct {
	ID       string // logical id
	At       time.Time
	Chart    string // id of the Patient
	Section  string
	Log      string // its text
	Entry    uint64
	Ranges   []consent.Range // entries that were asked for; of a write its own
	Write    bool            // else it was to read
	Further  bool            // use of what was released before
	Refused  string          // why; "" for what was allowed
	Times    int             // that the same was refused; 0 for what has its own entry
	Server   string          // name of the member that tells it
	Endpoint string          // of that member
	Client   string          // name of the member, or of the patient's device, that did it; "" if nobody knows
	Address  string          // of that member

	Practitioner, Name, Role string // who asked; all "" for a program, or if nobody knows
	Purpose, Reason          string
}

type (
	auditEvent struct {
		ResourceType string    `json:"resourceType"`
		ID           string    `json:"id"`
		Meta         meta      `json:"meta"`
		Type         coding    `json:"type"`
		Subtype      []coding  `json:"subtype"`
		Action       string    `json:"action"`
		Recorded     string    `json:"recorded"`
		Outcome      string    `json:"outcome"`
		OutcomeDesc  string    `json:"outcomeDesc,omitempty"`
		Purpose      []concept `json:"purposeOfEvent,omitempty"`
		Agent        []agent   `json:"agent"`
		Source       source    `json:"source"`
		Entity       []entity  `json:"entity"`
	}
	agent struct {
		Type      *concept  `json:"type,omitempty"`
		Role      []concept `json:"role,omitempty"`
		Who       reference `json:"who"`
		Name      string    `json:"name,omitempty"`
		Requestor bool      `json:"requestor"`
		Network   *network  `json:"network,omitempty"`
		Purpose   []concept `json:"purposeOfUse,omitempty"`
	}
	network struct {
		Address string `json:"address"`
		Type    string `json:"type"`
	}
	source struct {
		Site     string    `json:"site,omitempty"`
		Observer reference `json:"observer"`
		Type     []coding  `json:"type"`
	}
	entity struct {
		What        *reference     `json:"what,omitempty"`
		Type        *coding        `json:"type,omitempty"`
		Role        *coding        `json:"role,omitempty"`
		Security    []coding       `json:"securityLabel,omitempty"`
		Description string         `json:"description,omitempty"`
		Query       string         `json:"query,omitempty"`
		Detail      []entityDetail `json:"detail,omitempty"`
	}
	entityDetail struct {
		Type  string `json:"type"`
		Value string `json:"valueString"`
	}
)

// The addresses of BALP's profiles begin like this.
const balp = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."

// AuditEvent is the access by BALP: PatientRead, PatientCreate, and PatientQuery for what asked for more than one record.
func (a *Access) AuditEvent() []byte {
	e := auditEvent{ResourceType: "AuditEvent", ID: a.ID, Type: coding{auditType, "rest", "Restful Operation"}, Recorded: instant(a.At), Outcome: "0"}
	reader, holder := one(dcm, "110152", "Destination Role ID"), one(dcm, "110153", "Source Role ID") // of what is read
	switch n := a.entries(); {
	case a.Write:
		e.Meta.Profile, e.Action, e.Subtype = []string{balp + "PatientCreate"}, "C", []coding{{interaction, "create", ""}}
		reader, holder = holder, reader
	case n == 1:
		e.Meta.Profile, e.Action, e.Subtype = []string{balp + "PatientRead"}, "R", []coding{{interaction, "read", ""}}
	default:
		e.Meta.Profile, e.Action, e.Subtype = []string{balp + "PatientQuery"}, "E", []coding{{interaction, "search", ""}}
		reader, holder = holder, reader
	}
	if a.Refused != "" {
		e.Outcome, e.OutcomeDesc = "4", a.Refused
		if a.Times > 1 {
			e.OutcomeDesc = fmt.Sprintf("%s, %d times within the hour", a.Refused, a.Times)
		}
	}
	if a.Purpose != "" {
		e.Purpose = []concept{one(actReason, a.Purpose, "")}
	}
	client := agent{Type: &reader, Who: organisation(a.Client), Requestor: a.Practitioner == ""}
	if a.Client == "" {
		client.Who = reference{Display: "a key that nobody has introduced"}
	}
	client.Network = networkOf(a.Address, a.Client)
	e.Agent = append(e.Agent, client, agent{Type: &holder, Who: organisation(a.Server), Network: networkOf(a.Endpoint, a.Server)})
	if a.Practitioner != "" {
		user := agent{Type: &concept{Coding: []coding{{participation, "IRCP", "information recipient"}}}, Who: reference{Identifier: &identifier{Value: a.Practitioner}, Display: a.Name},
			Name: a.Name, Requestor: true, Purpose: e.Purpose}
		if a.Role != "" {
			user.Role = []concept{{Text: a.Role}}
		}
		e.Agent = append(e.Agent, user)
	}
	e.Source = source{Observer: organisation(a.Server), Type: []coding{{sourceType, "4", "Application Server"}}}
	data := entity{What: &reference{Identifier: &identifier{EntrySystem, a.Log + " " + rangesText(a.Ranges)}}, Type: &coding{entityType, "2", "System Object"},
		Role: &coding{objectRole, "4", "Domain Resource"}, Description: "section " + a.Section, Detail: []entityDetail{{"section", a.Section}}}
	if a.Further {
		data.Detail = append(data.Detail, entityDetail{"use", "of what was released before"})
	}
	if a.Reason != "" {
		data.Detail = append(data.Detail, entityDetail{"reason", a.Reason})
	}
	e.Entity = []entity{data, {What: &reference{Reference: "Patient/" + a.Chart}, Type: &coding{entityType, "1", "Person"}, Role: &coding{objectRole, "1", "Patient"}}}
	if e.Action == "E" {
		query := "section=" + a.Section + "&entries=" + rangesText(a.Ranges) // what the ledger was asked; the client's words are nobody's but its own
		e.Entity = append(e.Entity, entity{Type: &coding{entityType, "2", "System Object"}, Role: &coding{objectRole, "24", "Query"},
			Query: base64.StdEncoding.EncodeToString([]byte(query))})
	}
	if a.Times == 0 {
		e.Entity = append(e.Entity, entity{What: &reference{Identifier: &identifier{EntrySystem, fmt.Sprint(a.Log, " ", a.Entry)}}, Type: &coding{"https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId", ""}})
	}
	return encode(e)
}

// entries is how many were asked for.
func (a *Access) entries() (n uint64) {
	for _, r := range a.Ranges {
		n += r.To - r.From
	}
	return n
}

func networkOf(address, name string) *network {
	if address == "" {
		if address = name; address == "" {
			address = "unknown"
		}
		return &network{address, "1"}
	}
	return &network{address, "5"}
}

// rangesText is ranges as people write them: "3-4,9".
func rangesText(ranges []consent.Range) string {
	var parts []string
	for _, r := range ranges {
		switch {
		case r.To == consent.Forever:
			parts = append(parts, fmt.Sprintf("%d-", r.From))
		case r.To == r.From+1:
			parts = append(parts, fmt.Sprint(r.From))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", r.From, r.To-1))
		}
	}
	return strings.Join(parts, ",")
}
