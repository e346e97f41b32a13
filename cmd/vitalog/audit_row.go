package main

import (
	"fmt"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/key"
)

// seen is one row of the patient's activity as it is printed.
type seen struct {
	Schema       string    `json:"schema"`
	At           time.Time `json:"at"`
	Block        uint64    `json:"block"`
	Result       string    `json:"result"` // opened, refused
	Why          string    `json:"why,omitempty"`
	Name         string    `json:"name,omitempty"`
	Practitioner string    `json:"practitioner,omitempty"`
	Role         string    `json:"role,omitempty"`
	Machine      bool      `json:"machine,omitempty"`
	Organisation string    `json:"organisation"`
	Device       string    `json:"device,omitempty"` // of the patient's own
	Proxy        string    `json:"proxy,omitempty"`  // who reads for the patient
	Link         bool      `json:"link,omitempty"`   // whoever has a health link: name is what they said
	Purpose      string    `json:"purpose,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	Section      string    `json:"section"`
	Records      int       `json:"records"`
	Further      bool      `json:"further,omitempty"` // use of what was opened before
	Count        int       `json:"count,omitempty"`   // of refusals that one row stands for
	Log          key.Log   `json:"log"`
	Entry        uint64    `json:"entry"`
	Receipt      []byte    `json:"receipt,omitempty"` // base64 of the receipt of this entry
}

func seenRow(r exchange.Activity) seen {
	out := seen{Schema: "vitalog.audit/v1", At: r.At.UTC(), Block: r.Block, Result: "opened", Organisation: r.Member, Device: r.Device, Proxy: r.Proxy, Link: r.Link, Purpose: r.Purpose, Section: r.Section.String(),
		Records: r.Records, Further: r.Further, Count: r.Count, Log: r.Log, Entry: r.Entry}
	if r.Why != consent.Allowed || r.Count > 0 {
		out.Result, out.Why = "refused", r.Why.String()
	}
	if d := r.Detail; d != nil {
		out.Name, out.Practitioner, out.Role, out.Machine, out.Reason, out.Purpose = d.Name, d.Practitioner, d.Role, d.Machine && !r.Link, d.Reason, d.Purpose
	}
	return out
}

// who asked, in words.
func (s *seen) who() string {
	switch {
	case s.Proxy != "":
		return s.Proxy + ", for you"
	case s.Device != "":
		return "your device " + s.Device
	case s.Link:
		return fmt.Sprintf("by a health link, somebody who says %q", s.Name)
	case s.Machine:
		return "system"
	case s.Name == "" && s.Practitioner == "":
		return "not told"
	}
	return person(s.Name, s.Role, s.Practitioner)
}

func (s *seen) what() string {
	switch {
	case s.Count > 0:
		return s.Section
	case s.Further:
		return fmt.Sprintf("%s, %s again", s.Section, count(s.Records, "record"))
	}
	return fmt.Sprintf("%s, %s", s.Section, count(s.Records, "record"))
}

// result stands out by its text when it is a refusal.
func (s *seen) result() string {
	switch {
	case s.Count > 0:
		return fmt.Sprintf("✗ REFUSED %d times", s.Count)
	case s.Result == "refused":
		return "✗ REFUSED: " + s.Why
	}
	return "opened"
}

func (s *seen) why() string {
	out := purposeWords(s.Purpose)
	if s.Reason != "" {
		out += ": " + s.Reason
	}
	return out
}

// proof says whether the rows are all there are.
type proof struct {
	Schema  string      `json:"schema"`
	Network key.Network `json:"network"`
	Rows    int         `json:"rows"`
	Proven  bool        `json:"proven"`
	Signed  int         `json:"signed"`
	Of      int         `json:"of"`
}

func (a *app) proof(l *exchange.ActivityLog) proof {
	return proof{"vitalog.audit-proof/v1", a.genesis.Network(), len(l.Rows), l.Proven, l.Signed, l.Of}
}
