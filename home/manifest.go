package home

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/wire"
)

// LinkPrefix is where health links are opened.
const LinkPrefix = "/shl/"

const (
	maxManifest = 8 << 10 // bytes of a request
	fileOf      = "file/"
	fhirVersion = "4.0.1"
)

// opening is what a viewer asks with (SMART Health Links, manifest request).
type opening struct {
	recipient, passcode string
	embedded            int64 // bytes of a file that may be in the answer; -1: any
}

// decodeOpening reads a request. Members that it doesn't know are left alone, as the protocol wants.
func decodeOpening(b []byte) (*opening, error) {
	var q struct {
		Recipient, Passcode string
		EmbeddedLengthMax   *int64
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return nil, errors.New("this is no manifest request: it takes JSON with recipient, passcode and embeddedLengthMax")
	}
	o := &opening{recipient: said(q.Recipient), passcode: q.Passcode, embedded: -1}
	if o.recipient == "" {
		return nil, errors.New("say who asks: recipient is lacking")
	}
	if q.EmbeddedLengthMax != nil {
		o.embedded = max(0, *q.EmbeddedLengthMax)
	}
	return o, nil
}

// said is what somebody says of themselves as a line that can't deceive, cut at the length of a name.
func said(s string) string {
	s = strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, " ")))
	if len(s) > grant.MaxName {
		end := grant.MaxName
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = strings.TrimSpace(s[:end])
	}
	return s
}

type manifestFile struct {
	ContentType string `json:"contentType"`
	FHIRVersion string `json:"fhirVersion"`
	Status      string `json:"status"`
	Embedded    string `json:"embedded,omitempty"`
	Location    string `json:"location,omitempty"`
}

// ServeHTTP opens a link, or hands out the file of one that was opened.
func (l *Links) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	kind, answer, err := l.answer(w, r, strings.TrimPrefix(r.URL.Path, LinkPrefix))
	var bad invalid
	var no wrong
	switch {
	case err == nil:
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(answer) // the client is gone otherwise
	case errors.As(err, &bad):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.As(err, &no):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]int{"remainingAttempts": no.left}) // the client is gone otherwise
	case errors.Is(err, errGone):
		http.Error(w, errGone.Error(), http.StatusNotFound)
	case errors.Is(err, errBusy):
		w.Header().Set("Retry-After", "60")
		http.Error(w, err.Error(), http.StatusTooManyRequests)
	default:
		l.log.Warn("health links", "err", err)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "the network can't do this at the moment: try again", http.StatusServiceUnavailable)
	}
}

func (l *Links) answer(w http.ResponseWriter, r *http.Request, name string) (kind string, answer []byte, err error) {
	if token, ok := strings.CutPrefix(name, fileOf); ok && r.Method == http.MethodGet {
		id, err := tokenID(token)
		if err != nil {
			return "", nil, err
		}
		file, err := l.fetch(r.Context(), id)
		return "application/jose", file, err
	}
	id, err := tokenID(name)
	if err != nil || r.Method != http.MethodPost {
		return "", nil, errGone
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		return "", nil, invalid{errors.New("the request is longer than 8 KiB, or broke off")}
	}
	q, err := decodeOpening(body)
	if err != nil {
		return "", nil, invalid{err}
	}
	file, err := l.open(r.Context(), id, q.recipient, q.passcode)
	if err != nil {
		return "", nil, err
	}
	f := manifestFile{ContentType: "application/fhir+json", FHIRVersion: fhirVersion, Status: "finalized"}
	if q.embedded < 0 || int64(len(file)) <= q.embedded {
		f.Embedded = string(file)
	} else {
		token, err := l.later(id)
		if err != nil {
			return "", nil, err
		}
		f.Location = l.base + fileOf + base64.RawURLEncoding.EncodeToString(token[:])
	}
	answer, err = json.Marshal(map[string][]manifestFile{"files": {f}})
	return "application/json", answer, err
}

// tokenID is by what a token of an address is found.
func tokenID(text string) (wire.Hash, error) {
	token, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(token) != 32 {
		return wire.Hash{}, errGone
	}
	return sha256.Sum256(token), nil
}

// putLink is the call by which an app hands a link over.
func (l *Links) putLink(r *http.Request, body []byte) ([]byte, error) {
	rd := wire.NewReader(body)
	var log key.Log
	rd.Fixed(log[:])
	number := rd.U64()
	if rd.Err() != nil {
		return nil, invalid{rd.Err()}
	}
	return nil, l.put(r.Context(), log, number, body[len(log)+8:])
}
