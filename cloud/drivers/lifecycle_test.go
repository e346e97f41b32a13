package drivers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	aws3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"vitalog/cloud"
)

// The server of the tests has no lifecycle: what is asked of that is answered before it, as S3 does.
func TestTheCheckTellsWhichRulesTakeObjectsAwayAndWhichTakeVersions(t *testing.T) {
	p := start(t)
	rule := ""
	real := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: p.Address})
	before := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("lifecycle") {
			fmt.Fprintf(w, `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>a rule</ID>%s</Rule></LifecycleConfiguration>`, rule)
			return
		}
		real.ServeHTTP(w, r)
	}))
	defer before.Close()
	if _, err := p.client(t).PutBucketVersioning(t.Context(), &aws3.PutBucketVersioningInput{Bucket: aws.String("records"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	b, err := cloud.Open(t.Context(), "s3://records?prefix=member/a&endpoint="+before.URL, cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const enabled = "<Status>Enabled</Status>"
	of := func(prefix string) string { return "<Filter><Prefix>" + prefix + "</Prefix></Filter>" + enabled }
	expires := "<Expiration><Days>7</Days></Expiration>"
	versions := func(days int, more string) string {
		return fmt.Sprintf("<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays>%s</NoncurrentVersionExpiration>", days, more)
	}
	for _, x := range []struct {
		rule                 string
		lifecycle, versioned cloud.Verdict
	}{
		{of("") + expires, cloud.Bad, cloud.Bad},
		{of("member/") + expires, cloud.Bad, cloud.Bad},
		{of("member/a/packs/") + expires, cloud.Bad, cloud.Bad},
		{of("member/b/") + expires, cloud.Good, cloud.Bad},
		{"<Filter><Prefix></Prefix></Filter><Status>Disabled</Status>" + expires + versions(7, ""), cloud.Good, cloud.Bad},
		{of("") + "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>", cloud.Bad, cloud.Bad},
		{of("") + "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>" + versions(7, ""), cloud.Good, cloud.Good},
		{of("member/") + versions(30, ""), cloud.Good, cloud.Good},
		{of("") + versions(31, ""), cloud.Good, cloud.Bad},
		{of("") + versions(7, "<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"), cloud.Good, cloud.Bad},
		{of("member/b/") + versions(7, ""), cloud.Good, cloud.Bad},
	} {
		rule = x.rule
		seen := map[string]cloud.Verdict{}
		for _, f := range b.Check(t.Context()) {
			seen[f.About] = max(seen[f.About], f.Verdict)
		}
		if _, ok := seen["lifecycle"]; !ok || seen["lifecycle"] != x.lifecycle || seen["versioning"] != x.versioned {
			t.Errorf("%s: found %v", x.rule, seen)
		}
	}
}
