// Package drivers makes package cloud know the clouds: s3, azblob and gs. Their software is large, so only the program imports it, not
// what stores.
//
// It promises that credentials come from the places where each cloud's own tools look for them, anew after a refusal, and never from a
// URL. It refuses plain HTTP to another machine.
//
//	drivers.Register()
//	b, err := cloud.Open(ctx, "s3://st-elena-vitalog?region=eu-central-1", cloud.Options{})
//
// See spec/cloud.md.
package drivers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	"google.golang.org/api/googleapi"

	"vitalog/cloud"
)

// Register makes cloud.Open know s3, azblob and gs.
func Register() {
	cloud.Register("s3", s3Driver)
	cloud.Register("azblob", azureDriver)
	cloud.Register("gs", googleDriver)
}

var azureDriver = cloud.Driver{
	Parameters: []string{"domain", "storage_account"},
	Page:       5000,
	Open: func(_ context.Context, u *url.URL, _ cloud.Options) (*blob.Bucket, error) {
		o := azureblob.NewDefaultServiceURLOptions()
		q := u.Query()
		if a := q.Get("storage_account"); a != "" {
			o.AccountName = a
		}
		if d := q.Get("domain"); d != "" {
			if o.SASToken != "" && d != o.StorageDomain {
				return nil, errors.New("domain can't be in the URL together with a shared access signature: set AZURE_STORAGE_DOMAIN")
			}
			o.StorageDomain = d
		}
		service, err := azureblob.NewServiceURL(o)
		if err != nil {
			return nil, err
		}
		client, err := azureblob.NewDefaultClient(service, azureblob.ContainerName(u.Host))
		if err != nil {
			return nil, err
		}
		if at, err := url.Parse(client.URL()); err != nil || at.Scheme != "https" && !cloud.Loopback(at.Host) { // a connection string can name another than the options
			return nil, errPlain
		}
		return azureblob.OpenBucket(context.Background(), client, nil)
	},
	Kind: func(err error) cloud.Kind {
		var answer *azcore.ResponseError
		switch {
		case errors.As(err, &answer) && answer.ErrorCode == string(bloberror.BlobNotFound):
			return cloud.NotFound
		case answer != nil:
			return refusedIfAbsent(kindOf(answer.StatusCode))
		case errors.As(err, new(*azidentity.AuthenticationFailedError)) || errors.As(err, new(*azidentity.AuthenticationRequiredError)):
			return cloud.Refused
		}
		return cloud.Unknown
	},
	Inspect: untold("soft delete and versioning of the storage account, and immutability policies of the container, can't be told with these rights"),
}

var googleDriver = cloud.Driver{
	Page:  1000,
	Vague: true, // Google's software throws away what a 404 says
	Open: func(ctx context.Context, u *url.URL, _ cloud.Options) (*blob.Bucket, error) {
		if host := os.Getenv("STORAGE_EMULATOR_HOST"); host != "" { // Google's software goes there; it gets no credentials
			if !cloud.Loopback(host) {
				return nil, errEmulator
			}
			return gcsblob.OpenBucket(ctx, gcp.NewAnonymousHTTPClient(http.DefaultTransport), u.Host, nil)
		}
		credentials, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return nil, err
		}
		client, err := gcp.NewHTTPClient(http.DefaultTransport, gcp.CredentialsTokenSource(credentials))
		if err != nil {
			return nil, err
		}
		return gcsblob.OpenBucket(ctx, client, u.Host, nil)
	},
	Kind: func(err error) cloud.Kind {
		var answer *googleapi.Error
		switch {
		case errors.Is(err, storage.ErrBucketNotExist):
			return cloud.Refused
		case errors.Is(err, storage.ErrObjectNotExist):
			return cloud.NotFound
		case errors.As(err, &answer):
			return kindOf(answer.Code)
		}
		return cloud.Unknown
	},
	Inspect: untold("soft delete, object versioning, and the retention policy of the bucket can't be told with these rights"),
}

func untold(says string) func(context.Context, *blob.Bucket, *url.URL, string, cloud.Options) []cloud.Finding {
	return func(context.Context, *blob.Bucket, *url.URL, string, cloud.Options) []cloud.Finding {
		return []cloud.Finding{{About: "settings", Verdict: cloud.Untold, Says: says + "; look at them in the cloud's console, spec/cloud.md says how they must be"}}
	}
}

var errEmulator = errors.New("STORAGE_EMULATOR_HOST is for an emulator on this machine, like localhost:4443")

var errPlain = errors.New("plain HTTP to another machine: take https")

// refusedIfAbsent is a kind where the cloud has a word for an object that isn't there, and didn't say it: a status of 404 is about a user, a bucket, a machine in the cloud's place.
func refusedIfAbsent(k cloud.Kind) cloud.Kind {
	if k == cloud.NotFound {
		return cloud.Refused
	}
	return k
}

// kindOf is what an HTTP status means.
func kindOf(status int) cloud.Kind {
	switch {
	case status == http.StatusNotFound:
		return cloud.NotFound
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusMovedPermanently:
		return cloud.Refused
	case status == http.StatusRequestedRangeNotSatisfiable:
		return cloud.Beyond
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented:
		return cloud.Away
	}
	return cloud.Unknown
}
