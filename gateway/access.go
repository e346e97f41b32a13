package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/grant"
	"vitalog/scope"
	"vitalog/section"
)

// Access is what a token gives: who asks, and how far the asking goes. The patients' grants decide within it.
type Access struct {
	exchange.Asker
	Scopes  scope.Set
	Client  string    // the registered software that got the token; "" for one that the member's operator made
	Patient string    // chart of the launch; scopes of a patient reach no other
	Line    string    // what the token came of, as a name that says nothing: what ends a line ends its tokens. "" for none
	ID      string    // of the token; set by ReadToken
	Expires time.Time // set by ReadToken
}

// reach is the member's flows for one request, as far as its access goes. What lies beyond is answered as if it were not there. The zero
// value reaches nothing.
type reach struct {
	*exchange.Member
	access Access
	rights string // what the request does, of cruds: one of them is needed
}

// visit is the gateway as a request with this access sees it, that does something for which one of the rights is needed.
func (g *gateway) visit(a Access, rights string) *gateway {
	v := *g
	v.Member = reach{g.Config.Member, a, rights}
	return &v
}

// need is what is needed for resources of a type in a chart; "" is no chart's.
func (m reach) need(rights, kind, chartID string) scope.Need {
	return scope.Need{Rights: rights, Type: kind, Beyond: chartID != "" && chartID != m.access.Patient}
}

// reaches tells whether anything of a chart is within reach.
func (m reach) reaches(chartID string) bool {
	return m.access.Scopes.Allows(m.need(m.rights, "", chartID))
}

// enter refuses an interaction that no scope allows, whatever it is about.
func (m reach) enter(kind string) error {
	ofPatients := kind == "" || kind == "Binary" || len(section.Where(kind)) > 0
	if kind == "Subscription" && !m.access.Scopes.Covers(scope.Need{Rights: "r", Beyond: true}, nil) {
		return outOfScope("", "r") // it tells of every patient
	}
	if ofPatients && m.access.Scopes.Allows(scope.Need{Rights: m.rights, Type: kind}) || !ofPatients && m.lists(kind) {
		return nil
	}
	return outOfScope(kind, m.rights)
}

// lists tells whether all resources are within reach of a type that is no patient's, such as one of the directory: to write them, for
// those only whose scopes are not about one patient.
func (m reach) lists(kind string) bool {
	return m.access.Scopes.Covers(scope.Need{Rights: m.rights, Type: kind, Beyond: !isListed(kind) || strings.ContainsAny(m.rights, "cud")}, nil)
}

// mayWrite refuses what comes in beyond the scopes, before anything of it is written.
func (m reach) mayWrite(all []*incoming) error {
	for _, in := range all {
		right, kind, chartID := "c", in.res.Type(), in.patient.chart
		switch {
		case in.deleted:
			right = "d"
		case in.update:
			right = "u"
		}
		need := m.need(right, kind, chartID)
		need.Beyond = need.Beyond || in.directory || in.patient.new != nil
		as := fhir.Identity{ID: in.id, Ref: in.ref}
		if !m.access.Scopes.Covers(need, func(s *fhir.Search) bool { return s.Matches(in.res, as) }) {
			return outOfScope(kind, right)
		}
	}
	return nil
}

// outOfScope is the refusal of what no scope of the token covers. It is the same whether the thing is there or not.
func outOfScope(kind, rights string) error {
	if kind == "" {
		kind = "*"
	}
	return &problem{status: http.StatusForbidden, code: "forbidden", scope: fmt.Sprintf("user/%s.%s", kind, rights),
		text: fmt.Sprintf("The access token's scopes don't allow this: %s of %s is needed. Ask for a token with a scope that covers it.", rightsInWords(rights), kind)}
}

func rightsInWords(rights string) string {
	words := map[rune]string{'c': "create", 'r': "read", 'u': "update", 'd': "delete", 's': "search"}
	var out []string
	for _, r := range rights {
		out = append(out, words[r])
	}
	return strings.Join(out, " or ")
}

// Open opens what is within reach; what of it no scope covers is not in the chart.
func (m reach) Open(ctx context.Context, who exchange.Asker, chartID string, want exchange.Want) (*exchange.Opened, error) {
	if !m.reaches(chartID) {
		return nil, exchange.ErrNotShared
	}
	opened, err := m.Member.Open(ctx, who, chartID, want)
	if err == nil && !m.access.Scopes.Covers(m.need(m.rights, "", chartID), nil) {
		opened.Chart = opened.Chart.Only(func(v *chart.Version) bool {
			return m.access.Scopes.Covers(m.need(m.rights, v.Item.Type, chartID), v.Matches)
		})
	}
	return opened, err
}

// OpenBinary opens a Binary that is within reach.
func (m reach) OpenBinary(ctx context.Context, who exchange.Asker, at exchange.Location) (*exchange.OpenedBinary, error) {
	if !m.access.Scopes.Covers(m.need(m.rights, "Binary", at.Chart), nil) {
		return nil, exchange.ErrNotShared
	}
	return m.Member.OpenBinary(ctx, who, at)
}

// Locate finds what is within reach.
func (m reach) Locate(kind, id string) (exchange.Location, bool, error) {
	at, ok, err := m.Member.Locate(kind, id)
	if err != nil || !ok || !m.reaches(at.Chart) {
		return exchange.Location{}, false, err
	}
	return at, true, nil
}

// FindPatient finds a patient who is within reach.
func (m reach) FindPatient(system, value string) (string, bool, error) {
	id, ok, err := m.Member.FindPatient(system, value)
	if err != nil || !ok || !m.reaches(id) {
		return "", false, err
	}
	return id, true, nil
}

// Charts are those that are within reach.
func (m reach) Charts() (all []string, err error) {
	known, err := m.Member.Charts()
	for _, id := range known {
		if m.reaches(id) {
			all = append(all, id)
		}
	}
	return all, err
}

// Handle is for a patient who is within reach.
func (m reach) Handle(chartID string) (grant.Handle, error) {
	if !m.reaches(chartID) {
		return grant.Handle{}, exchange.ErrNotShared
	}
	return m.Member.Handle(chartID)
}

// Custody is of a chart that is within reach.
func (m reach) Custody(chartID string) (*exchange.Patient, error) {
	if !m.reaches(chartID) {
		return nil, exchange.ErrNotShared
	}
	return m.Member.Custody(chartID)
}

// Told is of a chart that is within reach.
func (m reach) Told(ctx context.Context, chartID string, from, until time.Time) (*exchange.Told, error) {
	if !m.reaches(chartID) {
		return nil, exchange.ErrNotShared
	}
	return m.Member.Told(ctx, chartID, from, until)
}

// PublishOnce publishes what is within reach.
func (m reach) PublishOnce(ctx context.Context, who exchange.Asker, once exchange.Once, chartID string, drafts []exchange.Draft) ([]exchange.Published, error) {
	if !m.reaches(chartID) {
		return nil, outOfScope("", m.rights)
	}
	return m.Member.PublishOnce(ctx, who, once, chartID, drafts)
}

// PublishAttachment publishes a Binary that is within reach.
func (m reach) PublishAttachment(ctx context.Context, who exchange.Asker, chartID string, a exchange.Attached, r io.Reader) (*exchange.Published, error) {
	if !m.access.Scopes.Covers(m.need("c", "Binary", chartID), nil) {
		return nil, outOfScope("Binary", "c")
	}
	return m.Member.PublishAttachment(ctx, who, chartID, a, r)
}

// BeginUpload begins a Binary that is within reach.
func (m reach) BeginUpload(ctx context.Context, who exchange.Asker, chartID string, a exchange.Attached, length int64) (*exchange.Upload, error) {
	if !m.access.Scopes.Covers(m.need("c", "Binary", chartID), nil) {
		return nil, outOfScope("Binary", "c")
	}
	return m.Member.BeginUpload(ctx, m.uploader(who), chartID, a, length)
}

// uploader is whom an upload belongs to.
func (m reach) uploader(who exchange.Asker) exchange.Uploader {
	return exchange.Uploader{Asker: who, Client: m.access.Client}
}

// ownUpload refuses an upload that isn't the asker's, or is of a chart beyond reach.
func (m reach) ownUpload(who exchange.Asker, id string) error {
	u, err := m.Member.UploadOf(m.uploader(who), id)
	if err == nil && !m.access.Scopes.Covers(m.need("c", "Binary", u.Chart), nil) {
		err = exchange.ErrNoUpload
	}
	return err
}

// FindUpload is of one that is within reach.
func (m reach) FindUpload(ctx context.Context, who exchange.Asker, id string) (*exchange.Upload, error) {
	if err := m.ownUpload(who, id); err != nil {
		return nil, err
	}
	return m.Member.FindUpload(ctx, m.uploader(who), id)
}

// ContinueUpload is for one that is within reach.
func (m reach) ContinueUpload(ctx context.Context, who exchange.Asker, id string, offset, size int64, body func(context.Context) io.Reader) (*exchange.Upload, error) {
	if err := m.ownUpload(who, id); err != nil {
		return nil, err
	}
	return m.Member.ContinueUpload(ctx, m.uploader(who), id, offset, size, body)
}

// EndUpload is for one that is within reach.
func (m reach) EndUpload(ctx context.Context, who exchange.Asker, id string) error {
	if err := m.ownUpload(who, id); err != nil {
		return err
	}
	return m.Member.EndUpload(ctx, m.uploader(who), id)
}
