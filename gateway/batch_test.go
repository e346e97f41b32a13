package gateway_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"vitalog/internal/testnet"
)

func TestABatchThatHasAPatientTwiceEnrolsThemOnce(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	d := desk{t, net.Nodes[0], okafor}
	patient := `{"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient","identifier":[{"system":"urn:test","value":"twice"}]}}`
	batch := `{"resourceType":"Bundle","type":"batch","entry":[` + patient + `,` + patient + `]}`
	for _, key := range []string{"", requestKey, requestKey} {
		headers := []string{}
		if key != "" {
			headers = []string{"Idempotency-Key", key}
		}
		said := readBundle(t, bytes.NewReader(d.do("POST", "", batch, headers...).want(t, http.StatusOK).body)).Entry
		for i, e := range said {
			if i > 0 && strings.HasPrefix(e.Response.Status, "20") && e.Response.Location != said[0].Response.Location {
				t.Errorf("one patient stands at %s and at %s", said[0].Response.Location, e.Response.Location)
			}
		}
		if charts, err := net.Nodes[0].Member.Charts(); err != nil || len(charts) != 1 {
			t.Errorf("%d charts, want 1 (%v)", len(charts), err)
		}
	}
}
