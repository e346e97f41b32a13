package smart

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"vitalog/scope"
	"vitalog/section"
)

//go:embed page
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "page/*.html"))

// view is what a page shows.
type view struct {
	Member  string
	Text    string // what went wrong
	App     string
	Home    string // host that the app sends the person to
	Person  *Person
	Flow    string
	CSRF    string
	Named   string // what the person typed, to mend it
	Patient string
	Fixed   bool // the patient came with the launch
	Purpose string
	Offline bool
	Wishes  []string
}

// page writes a page that no other may frame, script or send elsewhere; after its form the browser goes on to the app, whose address is to.
func (s *Server) page(w http.ResponseWriter, status int, name string, v view, to ...string) {
	v.Member = s.Member.Name()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self' "+strings.Join(to, " ")+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	if err := templates.ExecuteTemplate(w, name+".html", v); err != nil {
		s.Log.Warn("writing a page", "error", err)
	}
}

// ask shows the step that is next. What was wrong with a patient's number is said beside it.
func (s *Server) ask(w http.ResponseWriter, status int, f *flow, wrong, named string) {
	to, _ := url.Parse(f.redirect)
	v := view{Text: wrong, Named: named, App: f.client.Name, Home: to.Host, Person: f.person, Flow: f.name, CSRF: f.csrf, Purpose: purposeWords[f.client.Purposes[0]], Fixed: f.launched,
		Offline: f.scopes.Has("offline_access")}
	if f.needsPatient() {
		s.page(w, status, "patient", v)
		return
	}
	if v.Patient = f.shown; v.Patient == "" {
		v.Patient = f.patient
	}
	for _, one := range f.scopes.Scopes {
		v.Wishes = append(v.Wishes, inWords(one))
	}
	s.page(w, status, "approve", v, to.Scheme+"://"+to.Host)
}

// style is the pages' sheet.
func style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, pages, "page/style.css")
}

var purposeWords = map[string]string{"TREAT": "treatment", "ETREAT": "treatment in an emergency", "HPAYMT": "payment", "HOPERAT": "running the hospital",
	"HRESCH": "research", "PUBHLTH": "public health", "FAMRQT": "a request of the family", "PATRQT": "a request of the patient"}

// inWords is a scope for people.
func inWords(s scope.Scope) string {
	words := map[rune]string{'c': "add", 'r': "read", 'u': "change", 'd': "delete", 's': "search"}
	var may []string
	for _, r := range s.Rights {
		may = append(may, words[r])
	}
	what, whose := s.Type+" records", "of this patient"
	if s.Type == "*" {
		what = "all records"
	}
	switch _, listed, err := section.Of(s.Type, nil, nil, nil); {
	case err == nil && listed:
		whose = "of the members' directory, which is about no patient"
	case s.Context == scope.User:
		whose = "of every patient who shares with you"
	}
	text := strings.Join(may, ", ") + ": " + what + " " + whose
	if _, filter, ok := strings.Cut(s.String(), "?"); ok {
		text += ", only where " + filter
	}
	return text
}
