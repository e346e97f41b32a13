package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"vitalog/exchange"
	"vitalog/node"
)

// answer is what the running member said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

const maxAnswer = 1 << 30 // bytes

// ask sends one request to the running member. An answer that is no success is an error, an *outcome.
func (m *member) ask(ctx context.Context, who exchange.Asker, method, path string, body io.Reader) (*answer, error) {
	resp, err := m.open(ctx, who, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, m.away(err)
	}
	return &answer{resp.StatusCode, resp.Header, b}, nil
}

// open is ask for an answer that is read as it comes. The caller closes its body.
func (m *member) open(ctx context.Context, who exchange.Asker, method, path string, body io.Reader) (*http.Response, error) {
	h := http.Header{"Accept": {"application/fhir+json"}}
	if body != nil {
		h.Set("Content-Type", "application/fhir+json")
	}
	return m.stream(ctx, who, method, path, body, h)
}

// stream is open with a header of the caller's.
func (m *member) stream(ctx context.Context, who exchange.Asker, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	token, err := m.token(who)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, m.config.URL()+path, body)
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := m.http.Do(req)
	if err != nil {
		return nil, m.away(err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, m.away(err)
	}
	return nil, readOutcome(resp.StatusCode, b)
}

func (m *member) away(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	up := "vitalog up" + m.p.given()
	if m.p.as != "" {
		up = "vitalog demo"
	}
	return advise(fmt.Errorf("%s at %s: %w: %w", m.config.Name, m.config.URL(), errAway, err), "start it: %s", up)
}

// control asks the running member for something as its operator, and reads the answer into to.
func (m *member) control(ctx context.Context, method, what string, body io.Reader, to any) error {
	a, err := m.ask(ctx, operator(), method, node.ControlPrefix+what, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, to); err != nil {
		return fmt.Errorf("answer of %s to %s: %w", m.config.Name, what, err)
	}
	return nil
}

// outcome is an answer that is no success.
type outcome struct {
	Status  int
	Text    string
	Element string // FHIRPath of what is wrong, "Bundle.entry[3].resource.code"
}

// Error leads with the element.
func (o *outcome) Error() string {
	if o.Element == "" {
		return o.Text
	}
	return o.Element + ": " + o.Text
}

// Is puts the answer among the kinds of errors.
func (o *outcome) Is(target error) bool {
	switch o.Status {
	case http.StatusForbidden:
		return target == errRefused
	case http.StatusNotFound:
		return target == exchange.ErrNotShared
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return target == errAway
	}
	return false
}

// readOutcome reads an OperationOutcome, or takes the text as it is.
func readOutcome(status int, body []byte) error {
	var o struct {
		Issue []struct {
			Diagnostics string   `json:"diagnostics"`
			Expression  []string `json:"expression"`
		} `json:"issue"`
	}
	out := &outcome{Status: status}
	if json.Unmarshal(body, &o) == nil && len(o.Issue) > 0 {
		out.Text = o.Issue[0].Diagnostics
		if x := o.Issue[0].Expression; len(x) > 0 {
			out.Element = x[0]
		}
	} else {
		out.Text = strings.TrimSpace(string(body[:min(len(body), 512)]))
	}
	if out.Text == "" {
		out.Text = http.StatusText(status)
	}
	return out
}
