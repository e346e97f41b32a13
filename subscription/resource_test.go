package subscription_test

import (
	"bytes"
	"strings"
	"testing"

	"vitalog/fhir"
	"vitalog/subscription"
)

func TestAnEndpointIsOneThatTheOperatorListed(t *testing.T) {
	list := []string{"https://hooks.example/fhir/", "https://lab.example:8443", "http://localhost:9000/in"}
	for endpoint, ok := range map[string]bool{
		"https://hooks.example/fhir":                  true,
		"https://hooks.example/fhir/a?b=c":            true,
		"https://HOOKS.example/fhir/a":                true,
		"https://lab.example:8443/":                   true,
		"https://lab.example:8443/any":                true,
		"http://localhost:9000/in":                    true,
		"https://hooks.example/fhirx":                 false,
		"https://hooks.example/":                      false,
		"https://hooks.example/fhir/../admin":         false,
		"https://hooks.example/fhir/%2e%2e/admin":     false,
		"https://hooks.example/fhir/..%2fadmin":       false,
		"https://hooks.example:444/fhir/":             false,
		"http://hooks.example/fhir/":                  false,
		"https://hooks.example@169.254.169.254/fhir/": false,
		"https://user:word@hooks.example/fhir/":       false,
		"https://hooks.example.evil.example/fhir/":    false,
		"https://lab.example/":                        false,
		"http://localhost:9001/in":                    false,
		"http://169.254.169.254/latest/":              false,
		"file:///etc/passwd":                          false,
		"https:hooks.example/fhir":                    false,
		"https://hooks.example/fhir/#x":               false,
		"https://hooks.example/fhir/\r\nX: y":         false,
		"":                                            false,
	} {
		if err := subscription.Allowed(list, endpoint); (err == nil) != ok {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
	if subscription.Allowed(nil, "https://hooks.example/fhir") == nil {
		t.Error("without a list something is allowed")
	}
}

func TestASubscriptionSaysNothingThatIsNotTaken(t *testing.T) {
	good := wish(subscription.ResourceChange, subscription.IDOnly, "https://a.example", "Observation?patient=Patient/1")
	if _, err := subscription.Parse(parse(t, good)); err != nil {
		t.Fatal(err)
	}
	for _, x := range [][2]string{
		{`"requested"`, `"error"`},
		{`"reason":"test",`, ``},
		{`"rest-hook"`, `"websocket"`},
		{`application/fhir+json`, `application/fhir+xml`},
		{`id-only`, `everything`},
		{`urn:vitalog:topic:resource-change`, `urn:vitalog:topic:weather`},
		{`urn:vitalog:topic:resource-change`, `urn:vitalog:topic:record-access`},
		{`Observation?patient=Patient/1`, `Observation?patient=Patient/1&code=x`},
		{`Observation?patient=Patient/1`, `Observation?code=x`},
		{`Observation?patient=Patient/1`, `Practitioner?patient=Patient/1`},
		{`Observation?patient=Patient/1`, `Observation?patient=Group/1`},
		{`backport-filter-criteria`, `backport-other`},
		{`"reason"`, `"tag":[],"reason"`},
		{`"reason"`, `"Reason"`},
		{`"endpoint"`, `"Endpoint"`},
		{`Authorization: Bearer`, `Host: Bearer`},
		{`Authorization: Bearer`, `Authorization Bearer`},
		{`Authorization: Bearer`, `A: b\r\nC`},
		{`"type":"rest-hook"`, `"type":7`},
	} {
		bad := strings.Replace(good, x[0], x[1], 1)
		if bad == good {
			t.Fatalf("%q stands nowhere", x[0])
		}
		if _, err := subscription.Parse(parse(t, bad)); err == nil {
			t.Errorf("%s in the place of %s is taken", x[1], x[0])
		}
	}
}

// What was read and rendered reads as the same, and never with its headers.
func FuzzSubscription(f *testing.F) {
	f.Add([]byte(wish(subscription.ResourceChange, subscription.Full, "https://a.example", "Observation?patient=Patient/1", "?patient=1")))
	f.Add([]byte(wish(subscription.RecordAccess, subscription.Empty, "http://localhost", "patient=1")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := fhir.Parse(raw)
		if err != nil {
			return
		}
		once, err := subscription.Parse(r)
		if err != nil {
			return
		}
		again, err := fhir.Parse(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		twice, err := subscription.Parse(again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s, then %s, %v", once, twice, err)
		}
	})
}

func FuzzKept(f *testing.F) {
	f.Add(byte('d'), []byte(`{"version":1,"id":"a"}`))
	f.Add(byte('p'), []byte(`{"version":1,"status":"active","next":{},"events":0,"sent":0}`))
	f.Add(byte('e'), []byte(`{"version":1,"number":1,"section":5,"log":"log:0000000000000000000000000000000000000000000000000000000000000000","entry":2,"at":3}`))
	f.Fuzz(func(t *testing.T, kind byte, raw []byte) {
		subscription.Decode(kind, raw) // if it decodes, it is the only encoding
	})
}
