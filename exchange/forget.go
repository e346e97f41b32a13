package exchange

import (
	"errors"
	"slices"

	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"
)

// forget deletes the root of a patient who has claimed the chart, once the ledger says that nothing is signed or sealed with it any more: the
// owner keys of all logs are others, and so are the newest reader keys of those that hold records. What this member was granted stays.
//
// Crash points: the seeds that it goes on reading with are durable in the step that deletes the root.
func (m *Member) forget(chartID string) error {
	c, err := m.index.chart(chartID)
	if err != nil || c == nil || c.Custody == nil || !c.claimed() {
		return err
	}
	patient, err := m.ring.Patient(c.Custody)
	if err != nil {
		return err
	}
	seeds := map[section.Section][]byte{}
	for _, s := range section.All() {
		head, err := m.node.Ledger().Head(patient.Log(s))
		if err != nil {
			return err
		}
		if head == nil || slices.Contains(head.Owners, patient.Owner(s).Public()) {
			return nil
		}
		if !slices.Contains(section.Clinical(), s) {
			continue
		}
		if head.EpochKey == patient.ReaderPublic(s, head.Epoch).Hash() {
			return nil
		}
		until, err := m.epochsOf(patient, s, head.Size)
		if err != nil {
			return err
		}
		seeds[s] = m.ring.KeepSeeds(patient, s, until)
	}
	err = m.index.update(chartID, func(c *chartState) error {
		for s, wrapped := range seeds {
			if st := c.Sections[s]; st != nil && c.Custody != nil {
				st.Seeds = append([][]byte{wrapped}, st.Seeds...)
			}
		}
		c.Custody = nil
		return nil
	})
	if err == nil {
		m.log.Info("a patient in custody has claimed the chart: the root is forgotten")
	}
	return err
}

var errRekeyed = errors.New("rekeyed")

// epochsOf is the last epoch that a log had before its owner key was replaced.
func (m *Member) epochsOf(patient *keyring.Patient, s section.Section, size uint64) (until uint32, err error) {
	until = 1
	err = m.node.Ledger().Entries(patient.Log(s), 0, size, func(e *op.Entry) error {
		switch said := e.Says.(type) {
		case *op.Rotate:
			until = said.Epoch
		case *op.RekeyOwner:
			return errRekeyed
		}
		return nil
	})
	if errors.Is(err, errRekeyed) {
		err = nil
	}
	return until, err
}
