package drivers

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"vitalog/cloud"
)

var s3Driver = cloud.Driver{
	Parameters: []string{"region", "endpoint", "path_style"},
	Page:       1000,
	Check:      checkS3,
	Open:       openS3,
	Kind:       s3Kind,
	Delete: func(ctx context.Context, b *blob.Bucket, u *url.URL, name string) error {
		var client *s3.Client
		if !b.As(&client) {
			return errNotS3
		}
		_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &u.Host, Key: &name})
		return err
	},
	Inspect: inspectS3,
}

func checkS3(u *url.URL) error {
	q := u.Query()
	if endpoint := q.Get("endpoint"); endpoint != "" {
		e, err := url.Parse(endpoint)
		if err != nil || e.Host == "" || e.User != nil || e.RawQuery != "" || e.Scheme != "https" && e.Scheme != "http" {
			return errors.New("endpoint is like https://s3.example.org")
		}
		if e.Scheme == "http" && !cloud.Loopback(e.Host) {
			return errPlain
		}
	}
	if v := q.Get("path_style"); v != "" && v != "true" && v != "false" {
		return errors.New("path_style is true or false")
	}
	return nil
}

// openS3 takes region, keys and the rest from where the machine keeps them: environment, shared configuration, web identity, container or
// instance role. What the URL says comes first.
func openS3(ctx context.Context, u *url.URL, o cloud.Options) (*blob.Bucket, error) {
	q := u.Query()
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost, t.MaxIdleConns = o.AtOnce, o.AtOnce
	}).WithDialerOptions(func(d *net.Dialer) { d.Timeout = min(10*time.Second, o.Try) })
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // package cloud tries again
	}
	if r := q.Get("region"); r != "" {
		load = append(load, config.WithRegion(r))
	}
	endpoint := q.Get("endpoint")
	if endpoint != "" {
		load = append(load, config.WithBaseEndpoint(endpoint), config.WithDefaultRegion("us-east-1"),
			config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired), config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired))
	}
	pathStyle := endpoint != ""
	if v := q.Get("path_style"); v != "" {
		pathStyle = v == "true"
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		return nil, errors.New("the region is not known: add ?region=… to the URL")
	}
	s := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = pathStyle })
	if e := aws.ToString(s.Options().BaseEndpoint); e != "" { // the machine's configuration can set one too
		if at, err := url.Parse(e); err != nil || at.Scheme != "https" && !cloud.Loopback(at.Host) {
			return nil, errPlain
		}
	}
	return s3blob.OpenBucket(ctx, s, u.Host, &s3blob.Options{RequestChecksumCalculation: c.RequestChecksumCalculation})
}

func s3Kind(err error) cloud.Kind {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchKey":
			return cloud.NotFound
		case "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
			"RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "PermanentRedirect", "AccountProblem", "AllAccessDisabled", "InvalidObjectState":
			return cloud.Refused
		case "InvalidRange":
			return cloud.Beyond
		case "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "InternalError", "ServiceUnavailable", "OperationAborted", "IncompleteBody":
			return cloud.Away
		}
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return refusedIfAbsent(kindOf(answer.HTTPStatusCode()))
	}
	if err != nil && strings.Contains(err.Error(), "get credentials:") {
		return cloud.Refused
	}
	return cloud.Unknown
}

var errNotS3 = errors.New("not a bucket of S3")
