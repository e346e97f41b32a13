package grant_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"vitalog/grant"
	"vitalog/key"
)

const chartID = "4c1d0b6e-0000-8000-8000-0123456789ab"

func TestACardIsReadAsPeopleTypeItAndNoOtherWay(t *testing.T) {
	c, err := grant.NewClaimCard(key.Network{0xab, 1, 2, 3}, 513, chartID)
	if err != nil {
		t.Fatal(err)
	}
	code := c.Code()
	if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){15}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(code) {
		t.Errorf("got %s", code)
	}
	flat := strings.ReplaceAll(code, "-", "")
	for _, typed := range []string{code, flat, grant.ClaimURI + flat, " " + strings.ToLower(code) + "\n", strings.NewReplacer("0", "o", "1", "l").Replace(code)} {
		got, err := grant.ParseClaimCard(typed)
		if err != nil || got.Chart != chartID || got.Member != 513 || got.Network != [3]byte{0xab, 1, 2} || got.Hash() != c.Hash() {
			t.Errorf("%s: got %v, %v", typed, got, err)
		}
	}
	missed := 0 // one in 65,536 passes the checksum
	for i := range flat {
		for _, other := range "0Z" {
			if wrong := flat[:i] + string(other) + flat[i+1:]; wrong != flat {
				if _, err := grant.ParseClaimCard(wrong); err == nil {
					missed++
				}
			}
		}
	}
	if missed > 1 {
		t.Errorf("%d times a character was changed and nobody saw it", missed)
	}
	for _, wrong := range []string{"", flat[1:], flat + "0", "U" + flat[1:]} {
		if _, err := grant.ParseClaimCard(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	if text := fmt.Sprintf("%v %+v %s %#v", c, c, c, c); strings.Contains(text, flat[40:]) {
		t.Errorf("the secret is in %s", text)
	}
}

func FuzzClaimCard(f *testing.F) {
	c, err := grant.NewClaimCard(key.Network{1}, 2, chartID)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Code())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := grant.ParseClaimCard(text)
		if err != nil {
			return
		}
		again, err := grant.ParseClaimCard(c.Code())
		if err != nil || again.Hash() != c.Hash() || again.Code() != c.Code() {
			t.Errorf("%q does not come back", text)
		}
	})
}
