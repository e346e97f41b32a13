package gateway

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/subscription"
)

const subscriptions = "/fhir/Subscription"

// withSubscriptions answers what is asked of subscriptions, which are no patient's record, and leaves the rest to next.
func (g *gateway) withSubscriptions(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, a := range map[string]route{
		"POST " + subscriptions:                   {"c", (*gateway).subscribe},
		"GET " + subscriptions:                    {"s", (*gateway).listSubscriptions},
		"GET " + subscriptions + "/{id}":          {"r", (*gateway).readSubscription},
		"PUT " + subscriptions + "/{id}":          {"u", (*gateway).updateSubscription},
		"GET " + subscriptions + "/$status":       {"r", (*gateway).subscriptionStatus},
		"GET " + subscriptions + "/{id}/$status":  {"r", (*gateway).subscriptionStatus},
		"POST " + subscriptions + "/{id}/$status": {"r", (*gateway).subscriptionStatus},
		"GET " + subscriptions + "/{id}/$events":  {"r", (*gateway).subscriptionEvents},
		"POST " + subscriptions + "/{id}/$events": {"r", (*gateway).subscriptionEvents},
	} {
		mux.Handle(pattern, g.authorised(a.rights, inJSON(a.do)))
	}
	mux.Handle("DELETE "+subscriptions+"/{id}", g.authorised("d", (*gateway).unsubscribe))
	mux.HandleFunc("/", g.noMethod)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, subscriptions); ok && (rest == "" || rest[0] == '/') {
			mux.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// subscribe takes a subscription.
func (g *gateway) subscribe(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if r.Header.Get("Idempotency-Key") != "" || r.Header.Get("If-None-Exist") != "" {
		return badRequest("not-supported", "A subscription is taken without Idempotency-Key and If-None-Exist. GET of Subscription tells which there are.")
	}
	res, err := readSubscriptionBody(w, r)
	if err != nil {
		return err
	}
	s, err := g.Subscriptions.Create(who, res)
	if err != nil {
		return err
	}
	w.Header().Set("Location", g.Base+"/Subscription/"+s.ID+"/_history/"+s.Version)
	g.sendSubscription(w, http.StatusCreated, s)
	return nil
}

func readSubscriptionBody(w http.ResponseWriter, r *http.Request) (*fhir.Resource, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, subscription.MaxResource))
	if err != nil {
		return nil, err
	}
	return fhir.Parse(raw)
}

func (g *gateway) sendSubscription(w http.ResponseWriter, status int, s *subscription.Subscription) {
	w.Header().Set("ETag", etag(s.Version))
	w.Header().Set("Last-Modified", s.Updated.UTC().Format(http.TimeFormat))
	writeJSON(w, status, s.Resource)
}

func (g *gateway) readSubscription(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if err := noParameters(r, "a read"); err != nil {
		return err
	}
	s, err := g.Subscriptions.Get(who, r.PathValue("id"))
	if err != nil {
		return err
	}
	g.sendSubscription(w, http.StatusOK, s)
	return nil
}

func (g *gateway) updateSubscription(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	id := r.PathValue("id")
	res, err := readSubscriptionBody(w, r)
	if err != nil {
		return err
	}
	if res.ID() != id {
		return invalidAt("Subscription.id", "The resource's id and the id in the address must be the same.")
	}
	match := strings.Trim(strings.TrimPrefix(r.Header.Get("If-Match"), "W/"), `"`)
	s, err := g.Subscriptions.Update(who, id, match, res)
	if errors.Is(err, subscription.ErrChanged) {
		return &problem{status: http.StatusPreconditionFailed, code: "conflict", text: "The subscription has changed since. Read it again, then repeat."}
	}
	if err != nil {
		return err
	}
	g.sendSubscription(w, http.StatusOK, s)
	return nil
}

func (g *gateway) unsubscribe(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if err := g.Subscriptions.Delete(who, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// listSubscriptions answers with the asker's own.
func (g *gateway) listSubscriptions(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	p, err := parsePage(q)
	if err != nil {
		return err
	}
	id, err := single(q, "_id")
	if err != nil {
		return err
	}
	status, err := single(q, "status")
	if err != nil {
		return err
	}
	for name := range q {
		if !slices.Contains([]string{"_id", "status", "_count", "_offset", "_format"}, name) {
			return badRequest("not-supported", "%.64q is no parameter of a search for subscriptions, which are found by _id and status.", name)
		}
	}
	var all []found
	for _, s := range g.Subscriptions.List(who) {
		if (id == "" || s.ID == id) && (status == "" || s.Status == status) {
			all = append(all, found{"Subscription", s.ID, func() []byte { return s.Resource }})
		}
	}
	from, to := p.of(len(all))
	links := []fhir.Link{{Relation: "self", URL: p.link(g.Base+"/Subscription", q)}}
	if to < len(all) && p.count > 0 {
		links = append(links, fhir.Link{Relation: "next", URL: page{to, p.count}.link(g.Base+"/Subscription", q)})
	}
	return g.sendBundle(w, len(all), links, all[from:to], nil, gaps{})
}

// inputs are the parameters of an operation, from the query or from a Parameters resource that is the body.
func inputs(w http.ResponseWriter, r *http.Request, allowed ...string) (map[string][]string, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	delete(q, "_format")
	if r.Method == http.MethodPost && r.ContentLength != 0 {
		res, err := readSubscriptionBody(w, r)
		if err != nil {
			return nil, err
		}
		if res.Type() != "Parameters" {
			return nil, invalidAt(res.Type(), "An operation takes Parameters.")
		}
		var body struct {
			Parameter []struct {
				Name        string `json:"name"`
				ValueString string `json:"valueString"`
				ValueCode   string `json:"valueCode"`
				ValueID     string `json:"valueId"`
			} `json:"parameter"`
		}
		if err := res.Read(&body); err != nil {
			return nil, invalidAt("Parameters.parameter", "Each parameter has a name and one value: a string, code or id, written in the case that FHIR has.")
		}
		for _, p := range body.Parameter {
			q[p.Name] = append(q[p.Name], cmp.Or(p.ValueString, p.ValueCode, p.ValueID))
		}
	}
	for name := range q {
		if !slices.Contains(allowed, name) {
			return nil, badRequest("not-supported", "%.64q is no parameter of this operation, which takes %s.", name, strings.Join(allowed, ", "))
		}
	}
	return q, nil
}

// subscriptionStatus answers $status: of one subscription, of those that are named, or of all of the asker's.
func (g *gateway) subscriptionStatus(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	q, err := inputs(w, r, "id")
	if err != nil {
		return err
	}
	ids := q["id"]
	if id := r.PathValue("id"); id != "" {
		if len(ids) > 0 {
			return badRequest("invalid", "The address names the subscription already; leave out id.")
		}
		if _, err := g.Subscriptions.Get(who, id); err != nil {
			return err
		}
		ids = []string{id}
	}
	var all []found
	for _, status := range g.Subscriptions.Status(who, ids...) {
		all = append(all, found{render: func() []byte { return status }})
	}
	header(w)
	b := fhir.NewBundleWriter(w, "searchset", len(all), fhir.Link{Relation: "self", URL: g.Base + strings.TrimPrefix(r.URL.Path, "/fhir")})
	for _, f := range all {
		b.Entry(fhir.Out{Resource: f.render(), Mode: "match"})
	}
	_ = b.Close() // its error is that the client has gone
	return nil
}

// subscriptionEvents answers $events.
func (g *gateway) subscriptionEvents(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	q, err := inputs(w, r, "eventsSinceNumber", "eventsUntilNumber", "content")
	if err != nil {
		return err
	}
	bounds := [2]uint64{0, ^uint64(0) >> 1}
	for i, name := range []string{"eventsSinceNumber", "eventsUntilNumber"} {
		v, err := single(q, name)
		if err != nil {
			return err
		}
		if v == "" {
			continue
		}
		if bounds[i], err = strconv.ParseUint(v, 10, 63); err != nil {
			return badRequest("value", "%s is %.64q; it must be a whole number from 0.", name, v)
		}
	}
	content, err := single(q, "content")
	if err != nil {
		return err
	}
	raw, err := g.Subscriptions.Events(r.Context(), who, r.PathValue("id"), bounds[0], bounds[1], content)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, raw)
	return nil
}

// restSubscription is what the statement of capabilities says of subscriptions.
func restSubscription() restType {
	r := restType{Type: "Subscription", Versioning: "versioned", ReferencePolicy: []string{"literal"},
		Documentation: "Subscriptions R5 Backport for R4, by REST hook to addresses that the member's operator has listed. A subscription is seen by who made it. Its headers are never given back.",
		Interaction:   []interaction{{"create"}, {"read"}, {"update"}, {"delete"}, {"search-type"}},
		SearchParam:   []searchParam{{Name: "_id", Type: "token"}, {Name: "status", Type: "token"}},
		Operation: []operation{{"status", "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status"},
			{"events", "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events"}}}
	for _, t := range subscription.Topics {
		r.Extension = append(r.Extension, canonicalExtension{"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical", t.URL})
	}
	return r
}
