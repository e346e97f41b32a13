package keyring

import (
	"fmt"

	"vitalog/key"
	"vitalog/section"
)

// ChartID is the logical id of the patient's Patient resource, the same at every reader and after every recovery. It is a UUID of
// version 8 derived from the root, so it tells nothing and leads nowhere.
func (p *Patient) ChartID() string {
	if p.claim != nil {
		return p.claim.Chart()
	}
	return chartOf(p.root)
}

func chartOf(root *key.Root) string {
	secret := root.Reveal()
	defer clear(secret[:])
	b := key.Derive(secret[:], "vitalog/v1/chart", nil)
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Device signs for the patient's device of that name in one section's log: a key of its own, that is granted and revoked like any other.
func (p *Patient) Device(s section.Section, name string) key.Signer {
	return key.NewSigning(p.deviceSeed(s, name))
}

func (p *Patient) deviceSeed(s section.Section, name string) [32]byte {
	secret := p.root.Reveal()
	defer clear(secret[:])
	return key.Derive(secret[:], "vitalog/v1/device", append([]byte{byte(s)}, name...))
}
