package subscription

import (
	"time"

	"vitalog/fhir"
)

// Parse reads a subscription and renders it again.
func Parse(r *fhir.Resource) ([]byte, error) {
	t, err := parse(r)
	if err != nil {
		return nil, err
	}
	return t.render("a", "1", "requested", "", time.Unix(0, 0)), nil
}

// Decode reads a value from the disk as what kind says, and encodes it again.
func Decode(kind byte, raw []byte) ([]byte, error) {
	var d definition
	var p position
	var e event
	switch kind {
	case 'd':
		return raw, decode(raw, &d, &d.Version)
	case 'p':
		return raw, decode(raw, &p, &p.Version)
	}
	return raw, decode(raw, &e, &e.Version)
}

// Allowed tells whether notifications may go to an endpoint.
func Allowed(list []string, endpoint string) error { return allowed(list, endpoint) }
