package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/section"
)

// Publish seals drafts and puts them on the ledger, and says in their order where they stand. A patient whose enrolment is not complete is
// enrolled in the same step.
//
// Crash points: after the ciphertext is durable a crash leaves garbage, never a dangling entry; after the commit a crash may lose this
// member's own note of where the resource is, which the next opening of the chart finds again.
func (m *Member) Publish(ctx context.Context, who Asker, chartID string, drafts []Draft) ([]Published, error) {
	return m.PublishOnce(ctx, who, Once{}, chartID, drafts)
}

// PublishOnce is Publish for what may have been published before under the same name: what is there is found and not written again,
// whatever became of the attempts before. Drafts, sections and groups must be those of the first attempt, which must have returned.
func (m *Member) PublishOnce(ctx context.Context, who Asker, once Once, chartID string, drafts []Draft) ([]Published, error) {
	out := make([]Published, len(drafts))
	err := ErrAgain
	for try := 0; try < tries && errors.Is(err, ErrAgain); try++ {
		err = m.publish(ctx, who, once, chartID, drafts, out)
	}
	if err != nil {
		return nil, err
	}
	found := make([]located, len(drafts))
	for i, d := range drafts {
		found[i] = located{resource: d.Resource.Type() + "/" + d.ID, at: Location{Chart: chartID, Section: d.Section, Log: out[i].Log, Entry: out[i].Entry, At: uint64(out[i].At.UnixMilli()), Deleted: d.Deleted}}
		if d.Resource.Type() == "Patient" {
			found[i].identifiers = identifiers(d.Resource)
		}
	}
	if err := m.index.remember(found); err != nil {
		return nil, err
	}
	m.indexWritten(chartID, drafts, out)
	return out, nil
}

// tries is how often something is prepared before giving up: each time the patient began a new epoch meanwhile, the network made a new key,
// or the operations waited too long for a block.
const tries = 4

// ErrAgain says that the ledger moved on between preparing and committing: nothing of it was executed, and it can be prepared again.
var ErrAgain = errors.New("the reader key or the network key was changed meanwhile, or no block came in time: try again")

// publish publishes those of the drafts that have no place in out yet. Each goes its way; those of one section come to nothing together.
func (m *Member) publish(ctx context.Context, who Asker, once Once, chartID string, drafts []Draft, out []Published) error {
	c, done, err := m.ready(ctx, chartID)
	if err != nil {
		return err
	}
	defer done()
	if c, err = m.unlocked(ctx, c); err != nil {
		return err
	}
	net, _, err := m.NetworkKey(ctx)
	if err != nil {
		return err
	}
	var enrol *enrolment
	if c.Enrolling != 0 {
		if enrol, err = m.enrolment(c); err != nil {
			return err
		}
	}
	author := chart.Author{Member: m.Name(), Practitioner: who.Practitioner, Name: who.Name, Role: who.Role}
	bySection := map[section.Section][]int{}
	for i, d := range drafts {
		if out[i] == (Published{}) {
			bySection[d.Section] = append(bySection[d.Section], i)
		}
	}
	var parts []*part
	for _, s := range section.Clinical() {
		which := bySection[s]
		if len(which) == 0 {
			continue
		}
		delete(bySection, s)
		st := c.Sections[s]
		if st == nil {
			return fmt.Errorf("section %v: %w", s, ErrNotShared)
		}
		purpose := m.writePurpose(st, who.Purpose)
		if enrol != nil {
			purpose = Treat // which it is about to be granted
		}
		if purpose == "" {
			return fmt.Errorf("section %v: %w", s, ErrNotShared)
		}
		p, err := m.part(s, st, purpose, author)
		if err != nil {
			return err
		}
		p.drafts = which
		if once != (Once{}) {
			p.again = &again{Once: once, m: m, chart: chartID, section: s, purposes: st.Purposes}
		}
		parts = append(parts, p)
	}
	for s := range bySection {
		return fmt.Errorf("section %v: %w", s, ErrNotShared) // no member writes there
	}
	if enrol == nil {
		return publish(ctx, m, net, parts, drafts, out, m.putOwn)
	}
	parts, note, err := enrol.join(parts, len(drafts))
	if err != nil {
		return err
	}
	placed := append(slices.Clip(out), Published{})
	if err := publish(ctx, m, net, parts, append(slices.Clip(drafts), note), placed, m.putOwn); err != nil {
		copy(out, placed)
		return err
	}
	copy(out, placed)
	return enrol.complete()
}

// unlocked is the chart as it is now. Where records get no owner lock because a custodian has the root, what the patient who claims the chart has
// left on the ledger is opened first.
func (m *Member) unlocked(ctx context.Context, c *chartState) (*chartState, error) {
	if c.Custody != nil && !c.claimed() {
		return c, nil
	}
	for _, st := range c.Sections {
		if !st.OwnerLock {
			if err := m.Followed(ctx, m.node.Ledger().Height()); err != nil {
				return nil, err
			}
			return m.index.chart(c.ID)
		}
	}
	return c, nil
}

// ownerOf is the key that records of a section are locked for now, or nil.
func (m *Member) ownerOf(ctx context.Context, chartID string, s section.Section) (*key.Exchange, error) {
	c, err := m.index.chart(chartID)
	if err == nil {
		c, err = m.unlocked(ctx, c)
	}
	if err != nil || !c.Sections[s].OwnerLock {
		return nil, err
	}
	return key.ParseExchange(c.Sections[s].Owner)
}

// part is what goes into a section of a chart, written with the key for the purpose.
func (m *Member) part(s section.Section, st *sectionState, purpose string, author chart.Author) (*part, error) {
	w := writer{log: st.Log, signer: m.ring.Grantee(st.Log, purpose), author: author, sign: m.ring.Member()}
	if m.retention != (Retention{}) {
		w.keeper = m.ring.Author()
	}
	if st.OwnerLock {
		owner, err := key.ParseExchange(st.Owner)
		if err != nil {
			return nil, err
		}
		w.owner = owner
	}
	return &part{writer: w, section: s}, nil
}

// writePurpose is the purpose whose key this member writes with: the asker's if it was granted, or treatment.
func (m *Member) writePurpose(st *sectionState, asked string) string {
	best := ""
	for _, p := range st.Purposes {
		if p == asked {
			return p
		}
		if p == Treat {
			best = p
		}
	}
	return best
}

// identifiers lists a Patient's identifiers as "system|value".
func identifiers(r *fhir.Resource) []string {
	var out []string
	for _, id := range r.Identifiers() {
		out = append(out, id.System+"|"+id.Value)
	}
	return out
}
