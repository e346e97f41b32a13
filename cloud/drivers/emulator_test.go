package drivers_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"vitalog/cloud"
	"vitalog/cloud/drivers"
	"vitalog/internal/s3"
)

// emulator is the address of an emulator that .ci/clouds started, and a network before it.
func emulator(t *testing.T, variable string) (address string, network *s3.Proxy) {
	t.Helper()
	if address = os.Getenv(variable); address == "" {
		t.Skip("no emulator runs: .ci/clouds starts it")
	}
	drivers.Register()
	return address, s3.Before(t, address)
}

// What Azurite takes: they are printed in its documentation and open nothing else.
const (
	account = "devstoreaccount1"
	publicK = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azure is Azurite, and what this machine says of it.
type azure struct {
	far
	direct string
	key    *azblob.SharedKeyCredential
}

func TestAzure(t *testing.T) {
	address, network := emulator(t, "EMULATOR_AZURE")
	key, err := azblob.NewSharedKeyCredential(account, publicK)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("records-%x", time.Now().UnixNano())
	p := &azure{direct: "http://" + address + "/" + account + "/" + name, key: key,
		far: far{network: network, records: "azblob://" + name + "?domain=" + network.Address, absent: "azblob://nothing?domain=" + network.Address, try: time.Second}}
	c, err := container.NewClientWithSharedKeyCredential(p.direct, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"SAS_TOKEN", "CONNECTION_STRING", "DOMAIN", "IS_CDN", "IS_LOCAL_EMULATOR"} {
		t.Setenv("AZURE_STORAGE_"+variable, "")
	}
	t.Setenv("AZURE_STORAGEBLOB_CONNECTIONSTRING", "")
	t.Setenv("AZURE_STORAGE_PROTOCOL", "http")
	t.Setenv("AZURE_STORAGE_ACCOUNT", account)
	t.Setenv("AZURE_STORAGE_KEY", publicK)
	t.Run("objects go in and come out", p.objects)
	t.Run("lists have many pages", p.pages)
	t.Run("a bad network loses nothing", p.badNetwork)
	t.Run("a network that is away", p.awayNetwork)
	t.Run("another key, then the right one", p.otherKey)
	t.Run("a bucket that isn't there", p.noBucket)
	t.Run("a connection string", p.connectionString)
	t.Run("a shared access signature", p.signature)
	t.Run("checks", p.untold)
}

func (p *azure) otherKey(t *testing.T) {
	const wrong = "TheKeyThatNoErrorMayTell"
	b := p.open(t, "&prefix=keys", cloud.Options{})
	ctx := t.Context()
	if err := b.Put(ctx, "before", []byte("1")); err != nil {
		t.Fatal(err)
	}
	right := os.Getenv("AZURE_STORAGE_KEY")
	other := base64.StdEncoding.EncodeToString([]byte(wrong))
	t.Setenv("AZURE_STORAGE_KEY", other)
	b = p.open(t, "&prefix=keys", cloud.Options{})
	_, got := b.Get(ctx, "before", 0, -1)
	for what, err := range map[string]error{"get": got, "put": b.Put(ctx, "meanwhile", []byte("2")), "delete": b.Delete(ctx, "before"),
		"each": b.Each(ctx, "", func(string, int64) error { return nil })} {
		if !errors.Is(err, cloud.ErrRefused) || errors.Is(err, cloud.ErrAway) || errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: got %v", what, err)
			continue
		}
		for _, never := range []string{wrong, other, publicK, "?", "ignature=", "SharedKey"} {
			if strings.Contains(err.Error(), never) {
				t.Errorf("%s: an error tells %q: %v", what, never, err)
			}
		}
		if !strings.Contains(err.Error(), "\ncheck the credentials") {
			t.Errorf("%s: an error doesn't say what to do: %v", what, err)
		}
	}
	t.Setenv("AZURE_STORAGE_KEY", right)
	if err := b.Put(ctx, "after", []byte("3")); err != nil {
		t.Errorf("with the right key: %v", err)
	}
	allThere(t, b, map[string][]byte{"before": []byte("1"), "after": []byte("3")})
}

func (p *azure) connectionString(t *testing.T) {
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	t.Setenv("AZURE_STORAGE_KEY", "")
	t.Setenv("AZURE_STORAGE_PROTOCOL", "")
	line := "DefaultEndpointsProtocol=http;AccountName=" + account + ";AccountKey=" + publicK + ";BlobEndpoint=http://%s/" + account + ";"
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", fmt.Sprintf(line, p.network.Address))
	bucket, _, _ := strings.Cut(p.records, "?")
	p.roundTrip(t, bucket)
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", fmt.Sprintf(line, "storage.example.org"))
	if b, err := cloud.Open(t.Context(), bucket, cloud.Options{}); err == nil || !strings.Contains(err.Error(), "plain HTTP") || strings.Contains(err.Error(), publicK) {
		t.Errorf("plain HTTP to another machine: got %v, %v", b, err)
	}
}

func (p *azure) signature(t *testing.T) {
	t.Setenv("AZURE_STORAGE_KEY", "")
	bucket, _, _ := strings.Cut(p.records, "?")
	rights := sas.ContainerPermissions{Read: true, Write: true, Create: true, Delete: true, List: true}
	q, err := sas.BlobSignatureValues{Protocol: sas.ProtocolHTTPSandHTTP, ExpiryTime: time.Now().UTC().Add(time.Hour), Permissions: rights.String(),
		ContainerName: strings.TrimPrefix(bucket, "azblob://")}.SignWithSharedKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", q.Encode())
	t.Setenv("AZURE_STORAGE_DOMAIN", p.network.Address)
	p.roundTrip(t, bucket)
	if b, err := cloud.Open(t.Context(), bucket+"?domain=storage.example.org", cloud.Options{}); err == nil || !strings.Contains(err.Error(), "AZURE_STORAGE_DOMAIN") || strings.Contains(err.Error(), "sig=") {
		t.Errorf("the signature would go to another machine: got %v, %v", b, err)
	}
}

// roundTrip has the bucket at a URL take an object and give it back.
func (p *azure) roundTrip(t *testing.T, url string) {
	t.Helper()
	b, err := cloud.Open(t.Context(), url, cloud.Options{Try: p.try, Tries: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Put(t.Context(), "round/trip", []byte("there and back")); err != nil {
		t.Fatal(err)
	}
	allThere(t, b, map[string][]byte{"round/trip": []byte("there and back")})
	if err := b.Delete(t.Context(), "round/trip"); err != nil {
		t.Error(err)
	}
}

func TestGoogle(t *testing.T) {
	address, network := emulator(t, "EMULATOR_GOOGLE")
	name := fmt.Sprintf("records-%x", time.Now().UnixNano())
	answer, err := http.Post("http://"+address+"/storage/v1/b?project=vitalog", "application/json", strings.NewReader(`{"name":"`+name+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Fatal("making a bucket: ", answer.Status)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", network.Address)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/dev/null") // none are needed
	p := &far{network: network, records: "gs://" + name + "?", absent: "gs://nothing-" + name, try: 2 * time.Second}
	t.Run("objects go in and come out", p.objects)
	t.Run("lists have many pages", p.pages)
	t.Run("a bad network loses nothing", p.badNetwork)
	t.Run("a network that is away", p.awayNetwork)
	t.Run("a bucket that isn't there", p.noBucket)
	t.Run("checks", p.untold)
}

// untold looks at a check whose settings the cloud doesn't tell.
func (p *far) untold(t *testing.T) {
	b := p.open(t, "&prefix=member/a", cloud.Options{})
	verdicts := map[string]cloud.Verdict{}
	for _, f := range b.Check(t.Context()) {
		t.Logf("%s: %v: %s", f.About, f.Verdict, f.Says)
		if verdicts[f.About] = f.Verdict; f.Verdict == cloud.Bad {
			t.Errorf("a new bucket: %v", f)
		}
	}
	if verdicts["settings"] != cloud.Untold || verdicts["reachable"] != cloud.Good || verdicts["writable"] != cloud.Good {
		t.Errorf("found %v", verdicts)
	}
	if names := list(t, b, "check/"); len(names) > 0 {
		t.Errorf("the check leaves %q", names)
	}
}
