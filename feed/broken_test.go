package feed_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/feed"
	"vitalog/gateway"
	"vitalog/hl7"
)

// broken is the line between a feed and the gateway of a member that breaks at one POST: before it gets there, or with its answer.
type broken struct {
	t      *testing.T
	to     string
	posts  int // seen
	at     int // the POST that breaks
	before bool
}

func (b *broken) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	breaks := false
	if r.Method == http.MethodPost {
		b.posts++
		breaks = b.posts == b.at
	}
	if breaks && b.before {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, b.to+r.URL.String(), r.Body)
	if err != nil {
		b.t.Error(err)
		return
	}
	out.Header = r.Header
	resp, err := http.DefaultClient.Do(out)
	if err != nil {
		b.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if breaks {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// breaking sends messages whose way breaks, and sends them again to another feed, as after a restart.
func breaking(t *testing.T, w *ward) {
	n := w.net.Nodes[0]
	for i, c := range []struct {
		at     int
		before bool
	}{{1, true}, {1, false}, {2, true}, {2, false}} {
		number := fmt.Sprint("30", i)
		m := message("MDM^T02^MDM_T02", number, person(number), visit(number), "TXA|1|DS|AP|||||||||D"+number+"^GHH|||||AU", "OBX|1|TX|1^x^L||the text||||||F")
		answer := func(line *broken) string {
			f := feed.New(feed.Config{Member: n.Member, Gateway: line, Log: slog.New(slog.DiscardHandler), Settings: hl7.Settings{Systems: n.Config.HL7Systems},
				Token: func(who exchange.Asker) (string, error) {
					return gateway.IssueToken(n.Ring.Tokens(), n.Member.Name(), n.Config.URL()+"/fhir", who, time.Minute, time.Now())
				}})
			return string(f.Answer(t.Context(), "", []byte(m)))
		}
		if got := answer(&broken{t: t, to: n.Config.URL(), at: c.at, before: c.before}); !strings.Contains(got, "\rMSA|AR|"+number) || !strings.Contains(got, "|207^") {
			t.Errorf("%+v: got %q", c, got)
		}
		for range 2 {
			if got := answer(&broken{t: t, to: n.Config.URL()}); !strings.Contains(got, "\rMSA|AA|"+number) {
				t.Errorf("%+v: sent again, got %q", c, got)
			}
		}
		chart := w.chart(number)
		if a, b := w.of("Encounter", chart), w.of("DocumentReference", chart); len(a) != 1 || len(b) != 1 {
			t.Errorf("%+v: got %d visits and %d documents", c, len(a), len(b))
		} else if got, _ := w.bytesOf(b[0]); string(got) != "the text" {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}
