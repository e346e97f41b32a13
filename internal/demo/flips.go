package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"vitalog/exchange"
	"vitalog/node"
	"vitalog/wire"
)

// scanSize makes the scan large enough to be an object of its own in the store.
const scanSize = 60_000

// note is a doctor's, with a scan.
func note(subject string, now time.Time) map[string]any {
	scan := fmt.Sprintf("scan of a letter, %d. ", now.UnixNano())
	scan = strings.Repeat(scan, scanSize/len(scan))
	return map[string]any{"resourceType": "DocumentReference", "status": "current", "subject": ref(subject), "date": now.UTC().Format(time.RFC3339),
		"type": text("Progress note", "http://loinc.org", "11506-3"), "category": []any{category("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note")},
		"content": []any{map[string]any{"attachment": map[string]any{"contentType": "text/plain", "data": noise(scan)}}}}
}

// finds is the one damage that a verification names, which is that of a ciphertext.
func (d *deeds) finds(ctx context.Context, blob wire.Hash, heal bool) (*exchange.Damage, error) {
	damaged, _, err := d.verify(ctx, heal)
	if err != nil {
		return nil, err
	}
	if len(damaged) != 1 {
		return nil, fmt.Errorf("want exactly the one altered record, got %d", len(damaged))
	}
	x := &damaged[0]
	if x.State != exchange.Altered || x.Record == nil || x.Block == 0 || x.Blob == nil || *x.Blob != blob || x.Healed != heal {
		return nil, fmt.Errorf("the altered record is not named or not healed: %v", x)
	}
	return x, nil
}

// verify has the pharmacy look at everything that it keeps.
func (d *deeds) verify(ctx context.Context, heal bool) (damaged []exchange.Damage, checked exchange.Checked, err error) {
	staff, err := d.w.Staff(Pharmacy, d.okafor.who)
	if err != nil {
		return nil, checked, err
	}
	a, err := staff.Operate(ctx, http.MethodPost, fmt.Sprint("verify?all=true&heal=", heal), nil)
	if err != nil {
		return nil, checked, err
	}
	for lines := json.NewDecoder(bytes.NewReader(a.Body)); ; {
		var l node.VerifyLine
		if err := lines.Decode(&l); err != nil {
			return nil, checked, fmt.Errorf("the verification ended early: %w", err)
		}
		switch {
		case l.Damage != nil:
			damaged = append(damaged, *l.Damage)
		case l.Error != "":
			return nil, checked, errors.New(l.Error)
		case l.Checked != nil:
			return damaged, *l.Checked, nil
		}
	}
}
