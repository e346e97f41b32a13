package main

import (
	"strconv"
	"strings"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/section"
)

// parseSections reads names separated by commas. "all" leaves sensitive sections out: those are granted by name.
func parseSections(text string) ([]section.Section, error) {
	if text == "" {
		return nil, misused("--sections is missing: names separated by commas, out of %s; or all", sectionNames(section.Clinical()))
	}
	want := map[section.Section]bool{}
	for _, name := range strings.Split(text, ",") {
		name = strings.TrimSpace(name)
		if name == "all" {
			for _, s := range section.Clinical() {
				if !s.Sensitive() {
					want[s] = true
				}
			}
			continue
		}
		s, err := section.Parse(name)
		if err != nil || s == section.Inbox || s == section.Index {
			return nil, misused("section %q: want one of %s", name, sectionNames(section.Clinical()))
		}
		want[s] = true
	}
	var out []section.Section
	for _, s := range section.Clinical() {
		if want[s] {
			out = append(out, s)
		}
	}
	return out, nil
}

func sectionNames(list []section.Section) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.String()
	}
	return strings.Join(out, ", ")
}

// sentenceOf joins names as a sentence does: a, b and c.
func sentenceOf(list []section.Section) string {
	names := strings.Split(sectionNames(list), ", ")
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

const day = 24 * time.Hour

// parseSpan reads 90d, 12h or stop, which is 0.
func parseSpan(text string) (time.Duration, error) {
	if text == "stop" {
		return 0, nil
	}
	unit := time.Duration(0)
	switch {
	case strings.HasSuffix(text, "d"):
		unit = day
	case strings.HasSuffix(text, "h"):
		unit = time.Hour
	}
	if unit != 0 {
		if n, err := strconv.ParseUint(text[:len(text)-1], 10, 16); err == nil && n > 0 {
			return time.Duration(n) * unit, nil
		}
	}
	return 0, misused("%q is no time: want 3d, 90d, 12h, or stop for until it is stopped", text)
}

// parseUntil reads a span from now, the last day on which something holds, or stop, which is the zero time.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if last, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		end := last.AddDate(0, 0, 1)
		if !end.After(now) {
			return time.Time{}, misused("--until %s is in the past", text)
		}
		return end, nil
	}
	span, err := parseSpan(text)
	if err != nil {
		return time.Time{}, misused("--until %q: want 3d, 90d, 12h, a date like 2027-01-31, or stop for until you stop it", text)
	}
	if span == 0 {
		return time.Time{}, nil
	}
	return now.Add(span), nil
}

// parseRights reads read, write or both.
func parseRights(text string) (r consent.Rights, err error) {
	for _, name := range strings.Split(text, ",") {
		switch strings.TrimSpace(name) {
		case "read":
			r |= consent.Read
		case "write":
			r |= consent.Write
		default:
			return 0, misused("--rights %q: want read, write, or read,write", text)
		}
	}
	return r, nil
}

// purposeWords says a purpose of use as people do.
func purposeWords(code string) string {
	switch code {
	case exchange.Treat:
		return "treatment"
	case "ETREAT":
		return "emergency treatment"
	case "HPAYMT":
		return "payment"
	case "HOPERAT":
		return "running the organisation"
	case "HRESCH":
		return "research"
	case "PUBHLTH":
		return "public health"
	case "FAMRQT":
		return "the family's request"
	case "PATRQT":
		return "the patient's request"
	case exchange.Legal:
		return "a legal duty"
	}
	return code
}

func rightsWords(r consent.Rights) string {
	switch r & (consent.Read | consent.Write) {
	case consent.Read:
		return "read"
	case consent.Write:
		return "write, but not read,"
	case consent.Read | consent.Write:
		return "read and write"
	}
	return r.String()
}

func untilWords(t time.Time) string {
	if t.IsZero() {
		return "until you stop it"
	}
	return "until " + stamp(t)
}
