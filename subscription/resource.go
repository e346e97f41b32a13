package subscription

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"vitalog/fhir"
)

// Limits of a subscription.
const (
	MaxResource  = 16 << 10 // bytes
	maxHeaders   = 8
	maxHeader    = 4 << 10 // bytes of one
	maxFilters   = 32
	maxHeartbeat = 24 * 60 * 60 // s
	maxTimeout   = 60           // s
	maxCount     = 100          // events of one notification
)

const backport = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"

// The extensions of the Subscriptions R5 Backport IG (1.1.0) that are taken.
const (
	filterURL    = backport + "backport-filter-criteria"
	heartbeatURL = backport + "backport-heartbeat-period"
	timeoutURL   = backport + "backport-timeout"
	maxCountURL  = backport + "backport-max-count"
	contentURL   = backport + "backport-payload-content"

	profileURL = backport + "backport-subscription"
	statusURL  = backport + "backport-subscription-status-r4"
)

// How much a notification tells.
const (
	Empty  = "empty"
	IDOnly = "id-only"
	Full   = "full-resource"
)

// terms are what a subscription resource says. Headers are secrets of the endpoint: they are never given back.
type terms struct {
	Topic     string          `json:"topic"`
	Filters   []string        `json:"filters"`
	Endpoint  string          `json:"endpoint"`
	Headers   []string        `json:"headers,omitempty"`
	Content   string          `json:"content"`
	Heartbeat int             `json:"heartbeat,omitempty"` // s; 0: none
	Timeout   int             `json:"timeout,omitempty"`   // s; 0: defaultTimeout
	Count     int             `json:"count,omitempty"`     // 0: defaultCount
	End       *time.Time      `json:"end,omitempty"`
	Reason    string          `json:"reason"`
	Contact   json.RawMessage `json:"contact,omitempty"`
	Off       bool            `json:"off,omitempty"` // asked to be off
}

func wrong(at, format string, a ...any) error {
	return &fhir.Error{Kind: fhir.Invalid, Element: at, Text: fmt.Sprintf(format, a...)}
}

// members are those of a JSON object, by their exact names.
type members struct {
	at  string
	all map[string]json.RawMessage
}

func objectAt(at string, raw []byte) (members, error) {
	m := members{at: at}
	if err := json.Unmarshal(raw, &m.all); err != nil || m.all == nil {
		return m, wrong(at, "is no object")
	}
	return m, nil
}

// take reads a member, if it is there, and takes it out.
func (m members) take(name string, into any) error {
	raw, ok := m.all[name]
	if !ok {
		return nil
	}
	delete(m.all, name)
	if err := json.Unmarshal(raw, into); err != nil || bytes.Equal(raw, []byte("null")) {
		return wrong(m.at+"."+name, "is not of its type")
	}
	return nil
}

// end refuses what was not taken.
func (m members) end() error {
	for _, name := range slices.Sorted(maps.Keys(m.all)) {
		return &fhir.Error{Kind: fhir.Unsupported, Element: m.at, Text: fmt.Sprintf("has an element %.64q that is not taken here", name)}
	}
	return nil
}

// extensions reads the list of extensions at a member: each has an url and one value.
func (m members) extensions(name string, each func(at, url, kind string, value json.RawMessage) error) error {
	var list []json.RawMessage
	if err := m.take(name, &list); err != nil {
		return err
	}
	for i, raw := range list {
		at := fmt.Sprintf("%s.%s[%d]", m.at, name, i)
		x, err := objectAt(at, raw)
		if err != nil {
			return err
		}
		var url string
		if err := x.take("url", &url); err != nil {
			return err
		}
		if len(x.all) != 1 {
			return wrong(at, "wants one value")
		}
		for kind, value := range x.all {
			if err := each(at, url, kind, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// parse reads a subscription as a client sends it.
func parse(r *fhir.Resource) (*terms, error) {
	if r.Type() != "Subscription" {
		return nil, wrong("Subscription", "want a Subscription")
	}
	if len(r.Raw()) > MaxResource {
		return nil, &fhir.Error{Kind: fhir.Invalid, Element: "Subscription", Text: fmt.Sprintf("has more than %d bytes", MaxResource)}
	}
	m, err := objectAt("Subscription", r.Raw())
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"resourceType", "id", "meta", "text", "implicitRules", "language", "error"} {
		delete(m.all, name)
	}
	t := &terms{}
	var status, end string
	for name, into := range map[string]any{"status": &status, "reason": &t.Reason, "end": &end, "criteria": &t.Topic, "contact": &t.Contact} {
		if err := m.take(name, into); err != nil {
			return nil, err
		}
	}
	switch status {
	case "requested", "active":
	case "off":
		t.Off = true
	default:
		return nil, wrong("Subscription.status", "is requested, active or off when it is sent")
	}
	if t.Reason == "" {
		return nil, wrong("Subscription.reason", "says in plain words what the subscription is for; it is missing")
	}
	if end != "" {
		at, err := time.Parse(time.RFC3339, end)
		if err != nil {
			return nil, wrong("Subscription.end", "is no instant")
		}
		t.End = &at
	}
	if err := t.readFilters(m); err != nil {
		return nil, err
	}
	if err := t.readChannel(m); err != nil {
		return nil, err
	}
	return t, m.end()
}

func (t *terms) readFilters(m members) error {
	if topicOf(t.Topic) == nil {
		return wrong("Subscription.criteria", "is the address of a topic: one of %s", strings.Join([]string{ResourceChange, RecordAccess, ConsentChange}, ", "))
	}
	if raw, ok := m.all["_criteria"]; ok {
		delete(m.all, "_criteria")
		x, err := objectAt("Subscription._criteria", raw)
		if err != nil {
			return err
		}
		err = x.extensions("extension", func(at, url, kind string, value json.RawMessage) error {
			var text string
			if url != filterURL || kind != "valueString" || json.Unmarshal(value, &text) != nil {
				return wrong(at, "want %s with a valueString", filterURL)
			}
			t.Filters = append(t.Filters, text)
			return nil
		})
		if err == nil {
			err = x.end()
		}
		if err != nil {
			return err
		}
	}
	_, err := t.filter()
	return err
}

// filter is what the filter criteria come to.
func (t *terms) filter() (f filter, err error) {
	const at = "Subscription._criteria"
	if len(t.Filters) == 0 || len(t.Filters) > maxFilters {
		return f, wrong(at, "wants 1 to %d extensions %s; one names the patient", maxFilters, filterURL)
	}
	for _, text := range t.Filters {
		if err := f.add(topicOf(t.Topic), at, text); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (t *terms) readChannel(m members) error {
	raw, ok := m.all["channel"]
	if !ok {
		return wrong("Subscription.channel", "is missing")
	}
	delete(m.all, "channel")
	c, err := objectAt("Subscription.channel", raw)
	if err != nil {
		return err
	}
	var kind, payload string
	for name, into := range map[string]any{"type": &kind, "endpoint": &t.Endpoint, "payload": &payload, "header": &t.Headers} {
		if err := c.take(name, into); err != nil {
			return err
		}
	}
	if kind != "rest-hook" {
		return wrong("Subscription.channel.type", "is rest-hook; no other is offered")
	}
	if payload != "" && payload != "application/fhir+json" {
		return wrong("Subscription.channel.payload", "is application/fhir+json; no other is offered")
	}
	if err := t.readContent(c); err != nil {
		return err
	}
	err = c.extensions("extension", func(at, url, kind string, value json.RawMessage) error {
		into, most := map[string]*int{heartbeatURL: &t.Heartbeat, timeoutURL: &t.Timeout, maxCountURL: &t.Count}[url],
			map[string]int{heartbeatURL: maxHeartbeat, timeoutURL: maxTimeout, maxCountURL: maxCount}[url]
		if into == nil || kind != "valueUnsignedInt" && kind != "valuePositiveInt" || json.Unmarshal(value, into) != nil || *into < 1 || *into > most {
			return wrong(at, "want one of %s (1 to %d s), %s (1 to %d s), %s (1 to %d)", heartbeatURL, maxHeartbeat, timeoutURL, maxTimeout, maxCountURL, maxCount)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.checkHeaders(); err != nil {
		return err
	}
	return c.end()
}

func (t *terms) readContent(c members) error {
	t.Content = Empty
	raw, ok := c.all["_payload"]
	if !ok {
		return nil
	}
	delete(c.all, "_payload")
	x, err := objectAt("Subscription.channel._payload", raw)
	if err != nil {
		return err
	}
	err = x.extensions("extension", func(at, url, kind string, value json.RawMessage) error {
		if url != contentURL || kind != "valueCode" || json.Unmarshal(value, &t.Content) != nil || !slices.Contains([]string{Empty, IDOnly, Full}, t.Content) {
			return wrong(at, "want %s with a valueCode: %s, %s or %s", contentURL, Empty, IDOnly, Full)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if t.Content != Empty && !topicOf(t.Topic).Resources {
		return wrong("Subscription.channel._payload", "is %s for this topic: its events are about no resource", Empty)
	}
	return x.end()
}

func (t *terms) checkHeaders() error {
	const at = "Subscription.channel.header"
	if len(t.Headers) > maxHeaders {
		return wrong(at, "stands more than %d times", maxHeaders)
	}
	for _, h := range t.Headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value)
		if !ok || len(h) > maxHeader || name == "" || value == "" || strings.ContainsFunc(name, notToken) || strings.ContainsFunc(value, notPrintable) {
			return wrong(at, "is a name, a colon and a value, of at most %d bytes in all", maxHeader)
		}
		if slices.Contains([]string{"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Upgrade", "Trailer", "Te"}, name) {
			return wrong(at, "sets %s, which is the member's to set", name)
		}
	}
	return nil
}

func notToken(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

func notPrintable(r rune) bool { return r < ' ' && r != '\t' || r > '~' }

// header are the headers of a notification.
func (t *terms) header() http.Header {
	h := http.Header{}
	for _, line := range t.Headers {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
	h.Set("Content-Type", "application/fhir+json; charset=utf-8")
	return h
}

type extension struct {
	URL         string  `json:"url"`
	String      *string `json:"valueString,omitempty"`
	Code        *string `json:"valueCode,omitempty"`
	UnsignedInt *int    `json:"valueUnsignedInt,omitempty"`
	PositiveInt *int    `json:"valuePositiveInt,omitempty"`
}

type extended struct {
	Extension []extension `json:"extension"`
}

type meta struct {
	VersionID   string   `json:"versionId"`
	LastUpdated string   `json:"lastUpdated"`
	Profile     []string `json:"profile"`
}

type channel struct {
	Extension []extension `json:"extension,omitempty"`
	Type      string      `json:"type"`
	Endpoint  string      `json:"endpoint"`
	Payload   string      `json:"payload"`
	PayloadX  extended    `json:"_payload"`
}

// resource is a subscription as a client gets it: without the headers.
type resource struct {
	ResourceType string          `json:"resourceType"`
	ID           string          `json:"id"`
	Meta         meta            `json:"meta"`
	Status       string          `json:"status"`
	Contact      json.RawMessage `json:"contact,omitempty"`
	End          *time.Time      `json:"end,omitempty"`
	Reason       string          `json:"reason"`
	Criteria     string          `json:"criteria"`
	CriteriaX    extended        `json:"_criteria"`
	Error        string          `json:"error,omitempty"`
	Channel      channel         `json:"channel"`
}

// render is the subscription for its subscriber.
func (t *terms) render(id, version, status, failure string, updated time.Time) []byte {
	r := resource{ResourceType: "Subscription", ID: id, Meta: meta{version, instant(updated), []string{profileURL}}, Status: status, Contact: t.Contact, End: t.End,
		Reason: t.Reason, Criteria: t.Topic, Error: failure, Channel: channel{Type: "rest-hook", Endpoint: t.Endpoint, Payload: "application/fhir+json"}}
	for _, f := range t.Filters {
		r.CriteriaX.Extension = append(r.CriteriaX.Extension, extension{URL: filterURL, String: &f})
	}
	r.Channel.PayloadX.Extension = []extension{{URL: contentURL, Code: &t.Content}}
	if t.Heartbeat > 0 {
		r.Channel.Extension = append(r.Channel.Extension, extension{URL: heartbeatURL, UnsignedInt: &t.Heartbeat})
	}
	if t.Timeout > 0 {
		r.Channel.Extension = append(r.Channel.Extension, extension{URL: timeoutURL, UnsignedInt: &t.Timeout})
	}
	if t.Count > 0 {
		r.Channel.Extension = append(r.Channel.Extension, extension{URL: maxCountURL, PositiveInt: &t.Count})
	}
	return marshal(r)
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // strings, numbers and JSON that was read before
		panic(err)
	}
	return b
}
