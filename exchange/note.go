package exchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// note is what the patient writes down about keys, in the index section: who is behind them. It travels as a FHIR Basic resource.
type note struct {
	Label         string      `json:"label,omitempty"`
	Introductions [][]byte    `json:"introductions,omitempty"`
	Device        string      `json:"device,omitempty"`
	Proxy         *proxy      `json:"proxy,omitempty"`
	Keys          []deviceKey `json:"keys,omitempty"`
	Agreement     *agreement  `json:"agreement,omitempty"`
	Answer        *answered   `json:"answer,omitempty"`
	Claim         *claimNote  `json:"claim,omitempty"`
	Link          *linkNote   `json:"link,omitempty"`
	Records       []byte      `json:"records,omitempty"` // n × (record(32) R(32)): what opens those that were written in custody
}

// agreement is a Consent that grants carry out: those whose messages have these hashes.
type agreement struct {
	ID       string      `json:"id"`
	Consent  []byte      `json:"consent"`
	Messages []wire.Hash `json:"messages,omitempty"`
}

// answered is a request that the patient has answered, and the post that tells the asker.
type answered struct {
	Request grant.RequestID `json:"request"`
	Granted bool            `json:"granted"`
	Message wire.Hash       `json:"message"`
	Size    uint32          `json:"size"` // of the post, bytes
}

// proxy is a person who reads for the patient, with keys of their own (spec/proxy.md).
type proxy struct {
	Name     string `json:"name"`
	Purpose  string `json:"purpose"`
	Exchange []byte `json:"exchange"`
}

// linkNote is what is read here of a health link that the patient's app made (spec/health-links.md).
type linkNote struct {
	Key key.Verifier `json:"key"`
}

type deviceKey struct {
	Section section.Section `json:"section"`
	Key     key.Verifier    `json:"key"`
}

const (
	noteSystem = "urn:vitalog:index"
	noteURL    = "urn:vitalog:index:note"
)

// basic is the note as a resource.
type basic struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Extension    []struct {
		URL   string `json:"url"`
		Value string `json:"valueBase64Binary"`
	} `json:"extension"`
	Code struct {
		Coding []struct {
			System string `json:"system"`
			Code   string `json:"code"`
		} `json:"coding"`
	} `json:"code"`
}

func (p *Patient) write(ctx context.Context, n note) error {
	d, err := n.draft()
	if err != nil {
		return err
	}
	if _, err := p.Publish(ctx, []Draft{d}); err != nil {
		return fmt.Errorf("writing down who is behind the keys: %w", err)
	}
	return nil
}

func (n note) draft() (Draft, error) {
	inner, err := json.Marshal(n)
	if err != nil {
		return Draft{}, err
	}
	b := basic{ResourceType: "Basic", ID: fmt.Sprintf("%x", newSalt())}
	b.Extension = append(b.Extension, struct {
		URL   string `json:"url"`
		Value string `json:"valueBase64Binary"`
	}{noteURL, base64.StdEncoding.EncodeToString(inner)})
	b.Code.Coding = append(b.Code.Coding, struct {
		System string `json:"system"`
		Code   string `json:"code"`
	}{noteSystem, "grantee"})
	raw, err := json.Marshal(b)
	if err != nil {
		return Draft{}, err
	}
	return draft(raw, section.Index)
}

// named is who is behind a key.
type named struct {
	member        int
	purpose       string
	label, device string
	proxy         *proxy
	link          bool // whoever has a health link
}

// names reads the notes about keys back: from the ledger and the stores, so that the 24 words are enough. A note that doesn't open leaves its
// keys without a name and is counted: it must not keep the patient from seeing and stopping the others.
func (p *Patient) names(ctx context.Context) (out map[key.Verifier]named, unread int, err error) {
	out = map[key.Verifier]named{}
	unread, err = p.notes(ctx, func(n *note, _ Placed) error {
		for _, k := range n.Keys {
			x := named{member: -1, label: n.Label, device: n.Device, proxy: n.Proxy}
			if n.Proxy != nil {
				x.purpose = n.Proxy.Purpose
			}
			out[k.Key] = x
		}
		if n.Link != nil {
			out[n.Link.Key] = named{member: -1, label: n.Label, link: true}
		}
		for _, raw := range n.Introductions {
			i, err := grant.DecodeIntroduction(raw)
			if err != nil {
				return err
			}
			if err := i.Verify(p.home.Genesis()); err != nil {
				return err
			}
			out[i.Grantee] = named{member: int(i.Member), purpose: i.Purpose, label: n.Label}
		}
		return nil
	})
	return out, unread, err
}

// notes reads all notes, in the order in which they were written, and counts those that don't open or that each fails for.
func (p *Patient) notes(ctx context.Context, each func(n *note, e Placed) error) (unread int, err error) {
	entries, err := p.entries(ctx, p.keys.Log(section.Index))
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if _, ok := e.Says.(*op.Recorded); !ok {
			continue
		}
		list, err := p.notesIn(ctx, e)
		if errors.Is(err, errHome) {
			return 0, fmt.Errorf("note %d: %w", e.Number, err)
		}
		for _, n := range list {
			err = errors.Join(err, each(n, e))
		}
		if err != nil {
			unread++
		}
	}
	return unread, nil
}

// notesIn are the notes of one entry. What doesn't open is tried again the next time.
func (p *Patient) notesIn(ctx context.Context, e Placed) (list []*note, err error) {
	p.mu.Lock()
	list, known := p.read[e.Number]
	p.mu.Unlock()
	if known {
		return list, nil
	}
	content, err := p.open(ctx, section.Index, e.Entry)
	if err != nil {
		return nil, err
	}
	for _, it := range content.Items {
		err = errors.Join(err, readNote(it.Raw, func(n *note) error {
			list = append(list, n)
			return nil
		}))
	}
	if err != nil {
		return list, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read == nil {
		p.read = map[uint64][]*note{}
	}
	p.read[e.Number] = list
	return list, nil
}

func readNote(raw []byte, each func(n *note) error) error {
	var b basic
	if err := json.Unmarshal(raw, &b); err != nil {
		return err
	}
	for _, x := range b.Extension {
		inner, err := base64.StdEncoding.DecodeString(x.Value)
		if err != nil || x.URL != noteURL {
			continue
		}
		var n note
		if err := json.Unmarshal(inner, &n); err != nil {
			return err
		}
		if err := each(&n); err != nil {
			return err
		}
	}
	return nil
}
