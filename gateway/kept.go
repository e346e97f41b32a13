package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"vitalog/exchange"
	"vitalog/wire"
)

// keptVersion of the format.
const keptVersion = 1

// kept is what the journal has of a request.
type kept struct {
	Version int               `json:"version"`
	Body    []byte            `json:"body"` // SHA-256
	At      uint64            `json:"at"`   // when it first came, ms since 1970
	Who     exchange.Asker    `json:"who"`
	Type    string            `json:"type,omitempty"`   // of a bundle
	Found   map[string]string `json:"found,omitempty"`  // conditional references and what they led to
	Plan    []planned         `json:"plan,omitempty"`   // for each entry, until they are all done
	Answer  []answered        `json:"answer,omitempty"` // then
}

// planned is what was decided of an entry. The zero value says that nothing was: it is wrong, or the directory's.
type planned struct {
	ID       string             `json:"id,omitempty"`
	Chart    string             `json:"chart,omitempty"`
	There    *answered          `json:"there,omitempty"`
	Replaces *exchange.Location `json:"replaces,omitempty"`
	Patched  *patched           `json:"patched,omitempty"` // of a patch of a resource of the directory
}

// patched is what comes of a patch: which version it changes, and into what, so that another attempt doesn't change it once more.
type patched struct {
	From string `json:"from"`
	Into []byte `json:"into"`
}

// answered is the answer of an entry.
type answered struct {
	Status  int             `json:"status"`
	Type    string          `json:"type,omitempty"`
	ID      string          `json:"id,omitempty"`
	Version string          `json:"version,omitempty"`
	At      uint64          `json:"at,omitempty"` // ms since 1970
	Outcome json.RawMessage `json:"outcome,omitempty"`
}

func (p *planned) empty() bool { return *p == planned{} }

// recall reads what the journal has, nil if nothing.
func (g *gateway) recall(name string) (*kept, error) {
	var raw json.RawMessage
	found, err := g.Member.Recall(name, &raw)
	if err != nil || !found {
		return nil, err
	}
	k, err := decodeKept(raw)
	if err != nil {
		return nil, &problem{status: http.StatusInternalServerError, code: "exception", cause: err,
			text: "What this member noted of the request can't be read. Tell the operator the X-Request-Id of this answer."}
	}
	return k, nil
}

func (k *kept) encode() (json.RawMessage, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(true)
	if err := e.Encode(k); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// decodeKept reads the only encoding of a kept.
func decodeKept(raw []byte) (*kept, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	k := &kept{}
	if err := d.Decode(k); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if k.Version != keptVersion {
		return nil, fmt.Errorf("journal: format version %d, this program reads %d: use a newer program", k.Version, keptVersion)
	}
	again, err := k.encode()
	if err != nil || !bytes.Equal(again, raw) {
		return nil, errors.Join(fmt.Errorf("journal: %w", wire.ErrNonCanonical), err)
	}
	return k, nil
}

// note writes down what was decided. What was of an entry that this attempt didn't come to, or not through, stays.
func (k *kept) note(all []*incoming) {
	k.Plan = append(k.Plan, make([]planned, max(len(all)-len(k.Plan), 0))...)
	for i, in := range all {
		if in.err != nil {
			continue
		}
		p := planned{ID: in.id, Chart: in.patient.chart}
		if in.there != nil {
			p.There = &answered{Status: in.there.status, Type: in.there.kind, ID: in.there.id, Version: in.there.version}
			if !in.there.at.IsZero() {
				p.There.At = uint64(in.there.at.UnixMilli())
			}
		}
		if in.update && !in.directory {
			p.Replaces = &in.replaces
		}
		if in.directory {
			p.Patched = in.patched
		}
		k.Plan[i] = p
		for ref, l := range in.links {
			if l.asked && l.typ != "" {
				if k.Found == nil {
					k.Found = map[string]string{}
				}
				k.Found[ref] = l.typ + "/" + l.id
			}
		}
	}
}
