package subscription

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
)

// maxBody is how many bytes of resources one notification carries. What does not fit is told with its id alone.
const maxBody = 32 << 20

type parameters struct {
	ResourceType string      `json:"resourceType"`
	Meta         profile     `json:"meta"`
	Parameter    []parameter `json:"parameter"`
}

type profile struct {
	Profile []string `json:"profile"`
}

type parameter struct {
	Name      string      `json:"name"`
	Reference *reference  `json:"valueReference,omitempty"`
	Canonical string      `json:"valueCanonical,omitempty"`
	Code      string      `json:"valueCode,omitempty"`
	String    string      `json:"valueString,omitempty"`
	Instant   string      `json:"valueInstant,omitempty"`
	Concept   *concept    `json:"valueCodeableConcept,omitempty"`
	Part      []parameter `json:"part,omitempty"`
}

type reference struct {
	Reference string `json:"reference"`
}

type concept struct {
	Text string `json:"text"`
}

// status is the SubscriptionStatus, in its form for R4.
func (b *Book) status(s *sub, kind string, since uint64, events []event) []byte {
	s.mu.Lock()
	state, failure := s.at.Status, s.at.Failure
	s.mu.Unlock()
	if kind == "handshake" {
		state, failure = "requested", ""
	}
	if kind == "event-notification" {
		state, failure = "active", ""
	}
	p := parameters{ResourceType: "Parameters", Meta: profile{[]string{statusURL}}, Parameter: []parameter{
		{Name: "subscription", Reference: &reference{b.Base + "/Subscription/" + s.ID}},
		{Name: "topic", Canonical: s.Terms.Topic},
		{Name: "status", Code: state},
		{Name: "type", Code: kind},
		{Name: "events-since-subscription-start", String: fmt.Sprint(since)},
	}}
	for _, e := range events {
		part := []parameter{{Name: "event-number", String: fmt.Sprint(e.Number)}, {Name: "timestamp", Instant: instant(time.UnixMilli(int64(e.At)))}}
		if e.Type != "" {
			part = append(part, parameter{Name: "focus", Reference: &reference{b.Base + "/" + e.Type + "/" + e.ID}})
		}
		p.Parameter = append(p.Parameter, parameter{Name: "notification-event", Part: part})
	}
	if failure != "" {
		p.Parameter = append(p.Parameter, parameter{Name: "error", Concept: &concept{failure}})
	}
	return marshal(p)
}

// notification is the Bundle that an endpoint gets, and who asks for events. Of an event the resource is told if content says so and v has it.
func (b *Book) notification(s *sub, kind, content string, since uint64, events []event, v *view) []byte {
	told := make([]event, len(events))
	entries := make([]fhir.Out, 0, len(events))
	room := maxBody
	for i, e := range events {
		told[i] = e
		made := v.version(e)
		if content == Empty || made == nil {
			told[i].Type, told[i].ID = "", ""
			continue
		}
		address := e.Type + "/" + e.ID
		out := fhir.Out{FullURL: b.Base + "/" + address, Method: http.MethodPost, URL: e.Type, Status: "201"}
		switch e.Change {
		case "update":
			out.Method, out.URL, out.Status = http.MethodPut, address, "200"
		case "delete":
			out.Method, out.URL, out.Status = http.MethodDelete, address, "204"
		}
		if content == Full {
			if resource := made.Render(""); len(resource) <= room {
				out.Resource = resource
				room -= len(resource)
			}
		}
		out.ETag, out.LastModified = `W/"`+made.ID()+`"`, instant(made.Updated())
		entries = append(entries, out)
	}
	var body bytes.Buffer
	w := fhir.NewBundleWriter(&body, "history", -1)
	w.Entry(fhir.Out{FullURL: "urn:uuid:" + newID(), Resource: b.status(s, kind, since, told), Method: http.MethodGet, URL: "Subscription/" + s.ID + "/$status", Status: "200"})
	for _, e := range entries {
		w.Entry(e)
	}
	_ = w.Close() // a buffer takes everything
	return body.Bytes()
}

// version is what an event is about, nil if v hasn't got it.
func (v *view) version(e event) *chart.Version {
	if v == nil || e.Type == "" {
		return nil
	}
	for _, made := range v.made[place{e.Section, e.Log, e.Entry}] {
		if made.Item.Type == e.Type && made.Item.ID == e.ID {
			return made
		}
	}
	return nil
}

// Status is the status of the subscriptions of who's among those ids; of all, if there are none.
func (b *Book) Status(who exchange.Asker, ids ...string) (out [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(ids) == 0 {
		ids = slices.Sorted(maps.Keys(b.all))
	}
	for _, id := range ids {
		if s, err := b.find(who, id); err == nil {
			s.mu.Lock()
			since := s.at.Events
			s.mu.Unlock()
			out = append(out, b.status(s, "query-status", since, nil))
		}
	}
	return out
}

// Events is the Bundle of the events of a subscription of who's with the numbers from ≤ n ≤ to, the first maxCount of them, as far as who may
// know them now. content is one of Empty, IDOnly and Full, at most what the subscription has; "" is that.
func (b *Book) Events(ctx context.Context, who exchange.Asker, id string, from, to uint64, content string) ([]byte, error) {
	b.mu.Lock()
	s, err := b.find(who, id)
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	order := []string{Empty, IDOnly, Full}
	if content == "" {
		content = s.Terms.Content
	}
	if n := slices.Index(order, content); n < 0 || n > slices.Index(order, s.Terms.Content) {
		return nil, wrong("content", "is %s, %s or %s, and no more than the subscription's own", Empty, IDOnly, Full)
	}
	s.mu.Lock()
	since := s.at.Events
	s.mu.Unlock()
	events, err := b.events(id, max(from, 1)-1, min(to, since), maxCount)
	if err == nil {
		events, err = b.permitted(s, events)
	}
	if err != nil {
		return nil, err
	}
	var v *view
	if content != Empty && len(events) > 0 {
		if v, err = b.open(ctx, s, who, placesOf(events)); err != nil {
			return nil, err
		}
		defer v.close()
	}
	return b.notification(s, "query-event", content, since, events, v), nil
}
