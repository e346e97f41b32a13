package smart

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vitalog/fhir"
	"vitalog/scope"
)

const (
	flowLife   = 15 * time.Minute // from the app's request to the approval
	launchLife = 5 * time.Minute
)

// launch is what a system of the member's wants an app to open.
type launch struct{ patient, encounter string }

// flow is one app's wish, from its request until a person approves it.
type flow struct {
	client    *Client
	redirect  string
	state     string
	challenge string
	nonce     string // the app's, for its ID token
	scopes    scope.Set
	launched  bool

	browser string // secret in the cookie of the browser that began it
	csrf    string // secret in its forms
	theirs  struct{ nonce, verifier string }

	// What is learnt on the way. The server's once is held while it changes.
	name      string
	person    *Person
	patient   string
	shown     string // how the person named the patient
	encounter string
}

// needsPatient tells whether the app wants a patient whom nobody has chosen yet.
func (f *flow) needsPatient() bool {
	return f.patient == "" && (f.scopes.Has("launch/patient") || len(f.scopes.Only(scope.Patient).Scopes) > 0)
}

// launch gives a system of the member's a name for what an app is to open: the app is started with it, and it says nothing.
func (s *Server) launch(r *http.Request, f url.Values) (any, error) {
	if _, err := s.operator(r); err != nil {
		return nil, err
	}
	if _, err := s.Member.Handle(f.Get("patient")); err != nil {
		return nil, refuse("invalid_request", "patient: no such patient has a chart here.")
	}
	if e := f.Get("encounter"); e != "" && !fhir.ValidID(e) {
		return nil, refuse("invalid_request", "encounter: want the id of one.")
	}
	name, ok := s.launches.add(launch{f.Get("patient"), f.Get("encounter")}, s.Now().Add(launchLife), s.Now())
	if !ok {
		return nil, busy
	}
	return map[string]any{"launch": name, "expires_in": int(launchLife / time.Second)}, nil
}

var busy = &refusal{http.StatusServiceUnavailable, "temporarily_unavailable", "Too many people are signing in. Try again in a minute."}

// authorize takes an app's request and sends the person to sign in. What is wrong with client or redirect is told to the person: nobody is
// sent to an address that isn't registered.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	err := checkForm(q)
	if r.Method == http.MethodPost {
		q, err = readForm(w, r)
	}
	if err != nil || len(r.URL.RawQuery) > maxForm {
		s.page(w, http.StatusBadRequest, "error", view{Text: "The app's request can't be read. Start the app again; if it fails again, tell who runs it."})
		return
	}
	c, err := s.client(q.Get("client_id"))
	if err != nil || !slices.Contains(c.Redirects, q.Get("redirect_uri")) {
		s.page(w, http.StatusBadRequest, "error", view{Text: "This app is not registered here, or wants to send you to an address that isn't its own. Nothing was given to it."})
		return
	}
	f := &flow{client: c, redirect: q.Get("redirect_uri"), state: q.Get("state"), challenge: q.Get("code_challenge"), nonce: q.Get("nonce"),
		browser: secret(), csrf: secret()}
	if code, text := s.wish(f, q); code != "" {
		s.sendBack(w, r, f, url.Values{"error": {code}, "error_description": {text}})
		return
	}
	f.theirs.nonce, f.theirs.verifier = secret(), secret()
	now := s.Now()
	name, ok := s.flows.add(f, now.Add(flowLife), now)
	if !ok {
		s.sendBack(w, r, f, url.Values{"error": {busy.code}, "error_description": {busy.text}})
		return
	}
	f.name = name
	to, err := s.Staff.begin(r.Context(), s.URL+"/auth/signed-in", name, f.theirs.nonce, f.theirs.verifier)
	if err != nil {
		s.Log.Error("signing in", "error", err)
		s.page(w, http.StatusServiceUnavailable, "error", view{Text: "The hospital's sign-in service doesn't answer. Try again in a moment."})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieOf(name), Value: f.browser, Path: "/auth", MaxAge: int(flowLife / time.Second), HttpOnly: true,
		Secure: strings.HasPrefix(s.URL, "https:"), SameSite: http.SameSiteLaxMode})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func cookieOf(flow string) string { return "vitalog-" + flow[:8] }

// wish checks what the app wants, and says what is wrong with it (RFC 6749, 4.1.2.1).
func (s *Server) wish(f *flow, q url.Values) (code, text string) {
	f.scopes = asked(q.Get("scope"))
	f.scopes.Scopes = slices.DeleteFunc(f.scopes.Scopes, func(one scope.Scope) bool { return one.Context == scope.System })
	f.scopes = f.scopes.Within(withWords(f.client.scopes()))
	switch {
	case f.state == "":
		return "invalid_request", "state is missing."
	case q.Get("response_type") != "code":
		return "unsupported_response_type", "response_type is code."
	case q.Get("code_challenge_method") != "S256" || len(f.challenge) != 43:
		return "invalid_request", "A code_challenge with the method S256 is needed (RFC 7636)."
	case strings.TrimSuffix(q.Get("aud"), "/") != s.base():
		return "invalid_request", "aud is the address of this FHIR endpoint."
	case len(f.scopes.Scopes) == 0:
		return "invalid_scope", "None of the scopes about resources is one that this app is registered for."
	}
	if q.Get("launch") == "" {
		f.scopes.Words = slices.DeleteFunc(f.scopes.Words, func(w string) bool { return w == "launch" || w == "launch/encounter" })
		return "", ""
	}
	l, ok := s.launches.take(q.Get("launch"), s.Now())
	if !ok || !f.scopes.Has("launch") {
		return "invalid_request", "launch is unknown, used or expired, or the scope launch is missing. Start the app again from the record system."
	}
	f.patient, f.encounter, f.launched = l.patient, l.encounter, true
	return "", ""
}

// sendBack sends the browser to the app's registered address.
func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, f *flow, q url.Values) {
	q.Set("state", f.state)
	q.Set("iss", s.URL) // RFC 9207
	to, err := url.Parse(f.redirect)
	if err != nil { // it is registered
		panic(err)
	}
	have := to.Query()
	for name := range q {
		have.Set(name, q.Get(name))
	}
	to.RawQuery = have.Encode()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// signedIn takes a person who comes back from the sign-in service.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f, ok := s.flowOf(r, q.Get("state"))
	if !ok {
		s.lost(w)
		return
	}
	s.once.Lock()
	done := f.person != nil
	s.once.Unlock()
	if !done {
		who, err := s.Staff.end(r.Context(), s.URL+"/auth/signed-in", q.Get("code"), f.theirs.nonce, f.theirs.verifier)
		if err != nil {
			s.Log.Warn("signing in", "error", err)
			text := "Signing in did not work. Start the app again."
			if err == errNoRole {
				text = "You are signed in, but " + err.Error() + "."
			}
			s.page(w, http.StatusForbidden, "error", view{Text: text})
			return
		}
		s.once.Lock()
		f.person = &who
		s.once.Unlock()
	}
	http.Redirect(w, r, s.URL+"/auth/flow/"+f.name, http.StatusSeeOther)
}

// flowOf is the flow of that name, if the browser is the one that began it.
func (s *Server) flowOf(r *http.Request, name string) (*flow, bool) {
	f, ok := s.flows.get(name, s.Now())
	if !ok {
		return nil, false
	}
	c, err := r.Cookie(cookieOf(name))
	return f, err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(f.browser)) == 1
}

func (s *Server) lost(w http.ResponseWriter) {
	s.page(w, http.StatusBadRequest, "error", view{Text: "This page has expired, or was begun in another browser. Start the app again."})
}

// inFlow lets an action run for the person who signed in, in the browser that began the flow; a form must be one of the flow's.
func (s *Server) inFlow(do func(w http.ResponseWriter, r *http.Request, f *flow)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, ok := s.flowOf(r, r.PathValue("id"))
		if ok && r.Method == http.MethodPost {
			form, err := readForm(w, r)
			ok = err == nil && subtle.ConstantTimeCompare([]byte(form.Get("csrf")), []byte(f.csrf)) == 1
		}
		s.once.Lock()
		defer s.once.Unlock()
		if !ok || f.person == nil {
			s.lost(w)
			return
		}
		do(w, r, f)
	}
}

// showFlow asks for the patient, then for the approval.
func (s *Server) showFlow(w http.ResponseWriter, r *http.Request, f *flow) {
	s.ask(w, http.StatusOK, f, "", "")
}

// choosePatient takes the patient whom the person named, by the number on a card or by the chart's id. Nothing is opened for it.
func (s *Server) choosePatient(w http.ResponseWriter, r *http.Request, f *flow) {
	if f.launched {
		s.lost(w)
		return
	}
	named, chart := strings.TrimSpace(r.PostForm.Get("patient")), ""
	if named == "" { // to choose another
		f.patient, f.shown = "", ""
		s.ask(w, http.StatusOK, f, "", "")
		return
	}
	system, value, ok := strings.Cut(named, "|")
	var err error
	if ok {
		chart, _, err = s.Member.FindPatient(strings.TrimSpace(system), strings.TrimSpace(value))
	} else if _, unknown := s.Member.Handle(named); unknown == nil {
		chart = named
	}
	switch {
	case err != nil:
		s.Log.Error("finding a patient", "error", err)
		s.ask(w, http.StatusInternalServerError, f, "The register can't be read now. Try again.", named)
		return
	case chart == "":
		s.ask(w, http.StatusUnprocessableEntity, f, "No patient with this number has a chart here. Check it and try again.", named)
		return
	}
	f.patient, f.shown = chart, named
	http.Redirect(w, r, s.URL+"/auth/flow/"+f.name, http.StatusSeeOther)
}

// answerFlow ends the flow: with a code for the app, or without.
func (s *Server) answerFlow(w http.ResponseWriter, r *http.Request, f *flow) {
	if f.needsPatient() {
		s.lost(w)
		return
	}
	now := s.Now()
	if _, ok := s.flows.take(f.name, now); !ok {
		s.lost(w)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieOf(f.name), Path: "/auth", MaxAge: -1, HttpOnly: true})
	if r.PostForm.Get("answer") != "allow" {
		s.sendBack(w, r, f, url.Values{"error": {"access_denied"}, "error_description": {"The person did not allow it."}})
		return
	}
	life := onlineLife
	if f.scopes.Has("offline_access") {
		life = offlineLife
	}
	code, ok := s.codes.add(&issued{line: secret(), client: f.client.ID, redirect: f.redirect, challenge: f.challenge, nonce: f.nonce, until: now.Add(codeLife),
		grant: granted{Client: f.client.ID, Person: *f.person, Scope: f.scopes.String(), Purpose: f.client.Purposes[0], Patient: f.patient, Encounter: f.encounter,
			Until: now.Add(life)}}, now.Add(codeKnown), now)
	if !ok {
		s.sendBack(w, r, f, url.Values{"error": {busy.code}, "error_description": {busy.text}})
		return
	}
	s.sendBack(w, r, f, url.Values{"code": {code}})
}
