package scope_test

import (
	"strings"
	"testing"

	"vitalog/fhir"
	"vitalog/scope"
)

func parse(t testing.TB, text string) scope.Set {
	t.Helper()
	s, err := scope.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScopesOfSMART1AreWrittenAsThoseOfSMART2(t *testing.T) {
	for text, want := range map[string]string{
		"patient/Observation.read":  "patient/Observation.rs",
		"user/*.write":              "user/*.cud",
		"system/*.*":                "system/*.cruds",
		"user/*.cruds user/*.*":     "user/*.cruds",
		"openid fhirUser  openid":   "openid fhirUser",
		"patient/Patient.r launch":  "launch patient/Patient.r",
		"launch/patient":            "launch/patient",
		"user/Observation.rs?_id=1": "user/Observation.rs?_id=1",
		"patient/Observation.rs?category=http://x|lab&category=a": "patient/Observation.rs?category=a&category=http://x|lab",
		"": "",
	} {
		if got := parse(t, text).String(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsNoScopeIsRefused(t *testing.T) {
	for _, text := range []string{
		"patient", "patient/", "patient/Observation", "patient/Observation.", "patient/Observation.sr", "patient/Observation.rr", "patient/Observation.x",
		"patient/Nonsense.rs", "group/Observation.rs", "patient/*.rs?category=x", "patient/Observation.rs?", "patient/Observation.rs?colour=red",
		"patient/Observation.rs?date=yesterday", "patient/Observation.rs?category=%zz", "profile", "patient/Observation.rs?subject:Patient.name=x",
		strings.Repeat("openid ", 101), strings.Repeat("x", scope.MaxText+1),
	} {
		if s, err := scope.Parse(text); err == nil {
			t.Errorf("%.40q: read as %q", text, s)
		}
	}
}

func TestScopesOnlyNarrow(t *testing.T) {
	for _, c := range []struct{ asked, bound, want string }{
		{"user/*.cruds", "user/Observation.rs user/Patient.r", "user/Observation.rs user/Patient.r"},
		{"user/Observation.cruds", "user/*.rs", "user/Observation.rs"},
		{"user/Observation.rs", "patient/Observation.rs", ""},
		{"patient/Observation.c", "patient/Observation.rs", ""},
		{"patient/Observation.rs", "patient/Observation.rs?category=laboratory", "patient/Observation.rs?category=laboratory"},
		{"patient/Observation.rs?status=final", "patient/*.rs", "patient/Observation.rs?status=final"},
		{"patient/Observation.rs?status=final", "patient/Observation.r?category=laboratory", "patient/Observation.r?category=laboratory&status=final"},
		{"openid offline_access launch/patient", "openid", "openid"},
	} {
		if got := parse(t, c.asked).Within(parse(t, c.bound)).String(); got != c.want {
			t.Errorf("%q within %q: got %q, want %q", c.asked, c.bound, got, c.want)
		}
	}
}

func TestAScopeCoversItsTypeItsRightsItsPatientAndItsFilter(t *testing.T) {
	lab, err := fhir.Parse([]byte(`{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	matches := func(s *fhir.Search) bool { return s.Matches(lab, fhir.Identity{ID: "1"}) }
	for _, c := range []struct {
		scopes string
		need   scope.Need
		allows bool // some of it
		covers bool // this one
	}{
		{"user/*.cruds", scope.Need{Rights: "r", Type: "Observation", Beyond: true}, true, true},
		{"patient/*.cruds", scope.Need{Rights: "r", Type: "Observation", Beyond: true}, false, false},
		{"patient/*.cruds", scope.Need{Rights: "r", Type: "Observation"}, true, true},
		{"patient/Patient.rs", scope.Need{Rights: "r", Type: "Observation"}, false, false},
		{"patient/Observation.s", scope.Need{Rights: "r", Type: "Observation"}, false, false},
		{"patient/Observation.s", scope.Need{Rights: "rs", Type: "Observation"}, true, true},
		{"patient/Observation.rs?category=laboratory", scope.Need{Rights: "r", Type: "Observation"}, true, true},
		{"patient/Observation.rs?category=vital-signs", scope.Need{Rights: "r", Type: "Observation"}, true, false},
		{"patient/Observation.rs", scope.Need{Rights: "r"}, true, false},
		{"", scope.Need{Rights: "r"}, false, false},
	} {
		s := parse(t, c.scopes)
		if got := s.Allows(c.need); got != c.allows {
			t.Errorf("%q allows %+v: got %v", c.scopes, c.need, got)
		}
		if got := s.Covers(c.need, matches); got != c.covers {
			t.Errorf("%q covers %+v: got %v", c.scopes, c.need, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("patient/Observation.rs?category=laboratory user/*.cruds launch/patient", "user/*.rs patient/Observation.read")
	f.Add("system/*.*", "")
	f.Fuzz(func(t *testing.T, text, bound string) {
		s, err := scope.Parse(text)
		if err != nil {
			return
		}
		if len(s.String()) <= scope.MaxText { // escaping makes it longer
			again, err := scope.Parse(s.String())
			if err != nil || again.String() != s.String() {
				t.Errorf("%q is written as %q, which is read as %q: %v", text, s, again, err)
			}
		}
		b, err := scope.Parse(bound)
		if err != nil {
			return
		}
		for _, one := range s.Within(b).Scopes {
			if need := (scope.Need{Rights: one.Rights, Type: one.Type, Beyond: one.Context != scope.Patient}); one.Type != "*" && (!s.Allows(need) || !b.Allows(need)) {
				t.Errorf("%q within %q has %q", text, bound, one)
			}
		}
	})
}
