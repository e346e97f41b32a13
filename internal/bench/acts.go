package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/section"
)

// act is one kind of request of a client.
type act struct {
	what   string
	weight int // of a hundred
	writes bool
	do     func(ctx context.Context, c *crowd, v *visitor, number int) (answer, error)
}

// acts are what clients do.
var acts = []*act{
	{"read", 48, false, look(func(s *shared) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return "/" + s.refs[rand.IntN(len(s.refs))]
	})},
	{"search", 25, false, look(func(s *shared) string { return questions[1+rand.IntN(5)].path(s.patient) })},
	{"$everything", 3, false, look(func(s *shared) string { return everything(s.patient) })},
	{"create", 10, true, create},
	{"update with If-Match", 11, true, update},
	{"transaction", 3, true, transact},
}

// anyAct draws one by its weight.
func anyAct() *act {
	n := rand.IntN(100)
	for _, a := range acts {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	return acts[0]
}

// share learns where everything in a chart is.
func (w *ward) share(ctx context.Context, p *patient) (*shared, error) {
	s := &shared{patient: &patient{chart: p.chart}, sections: map[string]section.Section{}, replaced: map[string]bool{}, shown: map[view]int{}}
	body, err := w.desk.ask(ctx, http.MethodGet, everything(p), nil)
	if err != nil {
		return nil, err
	}
	var b struct {
		Entry []struct{ Resource json.RawMessage }
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	for _, e := range b.Entry {
		r, err := fhir.Parse(e.Resource)
		if err != nil {
			return nil, err
		}
		part, directory, err := chart.Place(r)
		if err != nil {
			return nil, err
		}
		if !directory {
			s.known(r.Type()+"/"+r.ID(), part)
		}
	}
	if len(s.refs) == 0 {
		return nil, fmt.Errorf("a chart that was filled is empty")
	}
	return s, nil
}

// known notes where a resource is. The caller holds the lock, or is alone.
func (s *shared) known(ref string, part section.Section) {
	s.refs, s.sections[ref] = append(s.refs, ref), part
}

// look asks for what an address names, and notes what was shown.
func look(path func(s *shared) string) func(context.Context, *crowd, *visitor, int) (answer, error) {
	return func(ctx context.Context, c *crowd, v *visitor, number int) (answer, error) {
		s := c.charts[rand.IntN(len(c.charts))]
		where := path(s)
		got, err := v.do(ctx, http.MethodGet, where, nil)
		if err != nil || got.status > 299 {
			return got, err
		}
		refs := shown(v.base, got.body)
		if len(refs) == 0 {
			refs = []string{where[1:]} // a read
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		parts := map[section.Section]bool{}
		for _, r := range refs {
			if part, ok := s.sections[r]; ok {
				parts[part] = true
			}
		}
		for part := range parts {
			s.shown[view{number, part}]++
		}
		return got, nil
	}
}

// parts are where clients write: the category of an observation, and the section that it leads to.
var parts = []struct {
	category string
	section  section.Section
}{{"vital-signs", section.Vitals}, {"laboratory", section.Labs}}

// measurement is an Observation with a value that no other has.
func measurement(patient, id, category string, value int64) []byte {
	if id != "" {
		id = fmt.Sprintf(`"id":%q,`, id)
	}
	day := time.Date(2017, 1, 1+rand.IntN(3600), 8, 0, 0, 0, time.UTC).Format(time.RFC3339)
	return fmt.Appendf(nil, `{"resourceType":"Observation",%s"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":%q}]}],"code":{"coding":[{"system":"http://loinc.org","code":%q}]},"subject":{"reference":"Patient/%s"},"effectiveDateTime":%q,"valueQuantity":{"value":%d,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}`,
		id, category, measured[rand.IntN(len(measured))], patient, day, value)
}

// split takes "…/Observation/id/_history/version" apart.
func split(location string) (id, version string) {
	_, rest, _ := strings.Cut(location, "Observation/")
	id, version, _ = strings.Cut(rest, "/_history/")
	return id, version
}

// acknowledged notes a version that a client was told is written. The caller holds the lock.
func (s *shared) acknowledged(location string, part section.Section, value int64) {
	id, v := split(location)
	s.versions = append(s.versions, version{id, v, value})
	s.subjects = append(s.subjects, &subject{id, v, part})
	s.known("Observation/"+id, part)
}

func create(ctx context.Context, c *crowd, v *visitor, _ int) (answer, error) {
	s, in, value := c.charts[rand.IntN(len(c.charts))], parts[rand.IntN(len(parts))], c.marks.Add(1)
	got, err := v.do(ctx, http.MethodPost, "/Observation", measurement(s.chart, "", in.category, value))
	if err == nil && got.status == http.StatusCreated {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.acknowledged(got.location, in.section, value)
	}
	return got, err
}

// transact writes three observations in two sections.
func transact(ctx context.Context, c *crowd, v *visitor, _ int) (answer, error) {
	s := c.charts[rand.IntN(len(c.charts))]
	var entries []string
	values := make([]int64, 3)
	for i := range values {
		values[i] = c.marks.Add(1)
		entries = append(entries, fmt.Sprintf(`{"resource":%s,"request":{"method":"POST","url":"Observation"}}`, measurement(s.chart, "", parts[i%len(parts)].category, values[i])))
	}
	got, err := v.do(ctx, http.MethodPost, "", []byte(`{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`))
	if err != nil || got.status > 299 {
		return got, err
	}
	locations, err := taken(got.body)
	if err != nil || len(locations) != len(values) {
		return got, fmt.Errorf("the answer tells %d places of %d: %v", len(locations), len(values), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range locations {
		s.acknowledged(l, parts[i%len(parts)].section, values[i])
	}
	return got, nil
}

// update replaces the version that is known. Who comes second is refused, and looks what is there.
func update(ctx context.Context, c *crowd, v *visitor, number int) (answer, error) {
	s := c.charts[rand.IntN(len(c.charts))]
	s.mu.Lock()
	if len(s.subjects) == 0 {
		s.mu.Unlock()
		return create(ctx, c, v, number)
	}
	it := s.subjects[rand.IntN(len(s.subjects))]
	id, base := it.id, it.version
	s.mu.Unlock()
	in, value := parts[0], c.marks.Add(1)
	if it.part != in.section {
		in = parts[1]
	}
	got, err := v.do(ctx, http.MethodPut, "/Observation/"+id, measurement(s.chart, id, in.category, value), "If-Match", `W/"`+base+`"`)
	if err != nil {
		return got, err
	}
	now := got
	if got.status == http.StatusPreconditionFailed {
		if now, err = v.do(ctx, http.MethodGet, "/Observation/"+id, nil); err != nil {
			return got, nil
		}
	}
	written := strings.Trim(strings.TrimPrefix(now.etag, "W/"), `"`)
	switch {
	case now.status > 299:
		return got, nil
	case written == "" && got.status < 300:
		return got, errors.New("the answer tells no version")
	case written == "":
		return got, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got.status < 300 {
		s.versions = append(s.versions, version{id, written, value})
		if s.replaced[id+"/"+base] {
			s.twice++
		}
		s.replaced[id+"/"+base] = true
	}
	if it.version == base {
		it.version = written
	}
	return got, nil
}
