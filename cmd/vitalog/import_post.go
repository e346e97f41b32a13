package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// post sends a bundle or a resource under the hash of it as its key, and counts what came of it. While the member or its network is away it
// waits and sends again.
func (i *importer) post(ctx context.Context, body []byte, out *imported) error {
	var r struct {
		ResourceType string `json:"resourceType"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	path := "/fhir"
	if r.ResourceType != "Bundle" {
		path += "/" + url.PathEscape(r.ResourceType)
	}
	key := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(body)))
	began := time.Now()
	for wait := time.Second; ; wait = min(2*wait, maxWait) {
		*out = imported{Schema: out.Schema, File: out.File}
		err := i.postOnce(ctx, path, key, body, out)
		if err == nil || ctx.Err() != nil || !errors.Is(err, errAway) {
			return err
		}
		if waited := time.Since(began); waited+wait > i.patience {
			return advise(fmt.Errorf("no answer for %v: %w", waited.Round(time.Second), err), "look at 'vitalog status', then import the same again: what is in stays in, and is not written twice")
		}
		i.mu.Lock()
		i.progress.done()
		i.progress.show("waiting for the member or its network, %v", time.Since(began).Round(time.Second))
		i.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const maxWait = 15 * time.Second // between two attempts

func (i *importer) postOnce(ctx context.Context, path, key string, body []byte, out *imported) error {
	h := http.Header{"Accept": {"application/fhir+json"}, "Content-Type": {"application/fhir+json"}, "Idempotency-Key": {key}}
	resp, err := i.m.stream(ctx, i.who, http.MethodPost, path, bytes.NewReader(body), h)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return i.m.away(err)
	}
	replayed := resp.Header.Get("Idempotency-Replayed") == "true"
	if path != "/fhir" {
		location := strings.TrimPrefix(resp.Header.Get("Location"), i.m.config.URL()+"/fhir/")
		return i.count(ctx, out, resp.StatusCode, location, replayed)
	}
	var b struct {
		Entry []struct {
			Response struct {
				Status   string
				Location string
				Outcome  json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(answer, &b); err != nil {
		return fmt.Errorf("the member's answer: %w", err)
	}
	var first error // of a batch some entries can be refused: the first speaks for them
	for n, e := range b.Entry {
		var status int
		fmt.Sscanf(e.Response.Status, "%d", &status)
		if status >= 200 && status < 300 {
			if err := i.count(ctx, out, status, e.Response.Location, replayed); err != nil {
				return err
			}
			continue
		}
		out.Refused++
		o := readOutcome(status, e.Response.Outcome).(*outcome)
		if o.Element == "" {
			o.Element = fmt.Sprintf("Bundle.entry[%d]", n)
		}
		if first == nil || errors.Is(o, errAway) {
			first = o
		}
	}
	return first
}

// count takes the answer of one resource, and has a card made for a patient who was enrolled.
func (i *importer) count(ctx context.Context, out *imported, status int, location string, replayed bool) error {
	out.Resources++
	created := status == http.StatusCreated
	if created && !replayed {
		out.New++
	} else {
		out.There++
	}
	if i.wait.until != "" {
		name, _, _ := strings.Cut(location, "/_history/")
		i.mu.Lock()
		i.in = append(i.in, name)
		i.mu.Unlock()
	}
	chart, isPatient := strings.CutPrefix(location, "Patient/")
	if !isPatient || !created {
		return nil
	}
	if !replayed {
		out.Patients++
	}
	if i.cards == "" {
		return nil
	}
	chart, _, _ = strings.Cut(chart, "/")
	return i.card(ctx, chart)
}
