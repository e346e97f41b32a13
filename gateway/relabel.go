package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
)

// relabelPatience is how long a change of section waits for others who change what is sealed with the resource.
const relabelPatience = 10 * time.Second

// leavingName is where the journal has what is to leave a section.
func (in *incoming) leavingName() string { return "leaving " + in.res.Type() + "/" + in.id }

// leave finds out what it takes for a resource to go to the section that its new version belongs to; nothing, if it stays. A change of section that broke
// off, after the new version was on the ledger, is brought to its end first.
func (g *gateway) leave(ctx context.Context, who exchange.Asker, in *incoming) error {
	if in.directory || in.there != nil {
		return nil
	}
	var noted exchange.Leaving
	if _, err := g.Member.Recall(in.leavingName(), &noted); err != nil {
		return err
	}
	moves := in.section != in.replaces.Section
	if (moves || noted.ID != "") && !g.Member.reaches(in.replaces.Chart) {
		return notFound
	}
	if err := g.Member.mayWrite([]*incoming{in}); err != nil { // before anything is opened for it
		return err
	}
	again := noted.ID != "" && noted.From == in.replaces
	if noted.ID != "" && !again && noted.From.Log != in.replaces.Log {
		if err := g.left(ctx, who, []*incoming{in}, []*exchange.Leaving{&noted}); err != nil {
			return err
		}
	}
	if !moves {
		return nil
	}
	l, err := g.Member.Leave(ctx, who, in.res.Type(), in.id, in.replaces)
	if refused := (*exchange.Refused)(nil); errors.Is(err, exchange.ErrNotShared) || errors.As(err, &refused) {
		return &problem{status: http.StatusForbidden, code: "forbidden", cause: err, at: in.root,
			text: "The change moves the resource from " + in.replaces.Section.String() + " to " + in.section.String() + ", for which this member must read the records that hold it, and they are not shared with it for this purpose. " +
				"Enter the resource as a new one, and delete this one."}
	}
	if err != nil {
		return err
	}
	if again { // of which some may be blocked by now, and no longer tell what they replaced
		l.Entries = append(l.Entries, noted.Entries...)
		slices.Sort(l.Entries)
		l.Entries = slices.Compact(l.Entries)
	}
	in.leaving = l
	return nil
}

// departing notes durably which of one patient's resources are to leave the section where they stand, before the first effect. No other request changes what
// is sealed with them until the caller calls done.
func (g *gateway) departing(ctx context.Context, resources []*incoming) (moved []*incoming, leaving []*exchange.Leaving, done func(), err error) {
	var held []fhir.Identifier
	own := map[string]bool{}
	for _, in := range resources {
		own[in.res.Type()+"/"+in.id] = true
	}
	for _, in := range resources {
		if in.leaving == nil {
			continue
		}
		moved, leaving = append(moved, in), append(leaving, in.leaving)
		for _, other := range in.leaving.Others {
			name := fhir.Identifier{System: "address", Value: other}
			if !own[other] && !slices.Contains(held, name) {
				held = append(held, name)
			}
		}
	}
	if len(moved) == 0 {
		return nil, nil, func() {}, nil
	}
	short, stop := context.WithTimeout(ctx, relabelPatience)
	defer stop()
	if done, err = g.pending.hold(short, held); err != nil {
		return nil, nil, nil, &problem{status: http.StatusConflict, code: "conflict", text: "Another request changes what is sealed with the resource. Repeat the request."}
	}
	for i, in := range moved {
		if err := g.Member.Keep(in.leavingName(), leaving[i]); err != nil {
			done()
			return nil, nil, nil, err
		}
	}
	return moved, leaving, done, nil
}

// left takes resources out of the section where they stood. Their new versions are on the ledger.
func (g *gateway) left(ctx context.Context, who exchange.Asker, moved []*incoming, leaving []*exchange.Leaving) error {
	if err := g.Member.Left(ctx, who, leaving); err != nil {
		return err
	}
	for _, in := range moved {
		if err := g.Member.Keep(in.leavingName(), exchange.Leaving{}); err != nil {
			return err
		}
	}
	return nil
}
