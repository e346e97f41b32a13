package drivers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"

	"vitalog/cloud"
)

const day = 24 * time.Hour

// inspectS3 looks at what keeps what was deleted: versions and object lock; and at what takes away what was not: rules of the lifecycle.
func inspectS3(ctx context.Context, b *blob.Bucket, u *url.URL, prefix string, o cloud.Options) []cloud.Finding {
	var client *s3.Client
	if !b.As(&client) {
		return []cloud.Finding{{About: "settings", Verdict: cloud.Untold, Says: errNotS3.Error()}}
	}
	rules, rulesErr := lifecycle(ctx, client, u.Host, prefix)
	return append([]cloud.Finding{
		{About: "region", Verdict: cloud.Good, Says: client.Options().Region},
		versioning(ctx, client, u.Host, o.Erase, rules),
		lock(ctx, client, u.Host, o.Erase),
	}, expiry(rules, rulesErr)...)
}

func versioning(ctx context.Context, client *s3.Client, bucket string, erase time.Duration, rules []types.LifecycleRule) cloud.Finding {
	f := cloud.Finding{About: "versioning"}
	v, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	if err != nil {
		return untoldBy(f, "s3:GetBucketVersioning", err)
	}
	if v.Status == "" {
		f.Says = "off: what is deleted is gone"
		return f
	}
	f.Verdict = cloud.Bad
	f.Says = fmt.Sprintf("%s, and no rule of the lifecycle removes noncurrent versions within %d days: what is deleted stays. Add one, or take a bucket that never had versioning", strings.ToLower(string(v.Status)), int(erase/day))
	for _, r := range rules {
		if n := r.NoncurrentVersionExpiration; n != nil && aws.ToInt32(n.NewerNoncurrentVersions) == 0 && time.Duration(aws.ToInt32(n.NoncurrentDays))*day <= erase {
			f.Verdict = cloud.Good
			f.Says = fmt.Sprintf("%s; noncurrent versions are removed after %d days", strings.ToLower(string(v.Status)), aws.ToInt32(n.NoncurrentDays))
		}
	}
	return f
}

func lock(ctx context.Context, client *s3.Client, bucket string, erase time.Duration) cloud.Finding {
	f := cloud.Finding{About: "object lock"}
	l, err := client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &bucket})
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "ObjectLockConfigurationNotFoundError":
		f.Says = "off"
		return f
	case err != nil:
		return untoldBy(f, "s3:GetBucketObjectLockConfiguration", err)
	case l.ObjectLockConfiguration == nil || l.ObjectLockConfiguration.ObjectLockEnabled != types.ObjectLockEnabledEnabled:
		f.Says = "off"
		return f
	}
	if r := l.ObjectLockConfiguration.Rule; r != nil && r.DefaultRetention != nil {
		kept := time.Duration(aws.ToInt32(r.DefaultRetention.Days))*day + time.Duration(aws.ToInt32(r.DefaultRetention.Years))*366*day
		if kept > erase {
			f.Verdict = cloud.Bad
			f.Says = fmt.Sprintf("new objects can't be deleted for %d days, and must be gone within %d: take a bucket without a default retention", int(kept/day), int(erase/day))
			return f
		}
	}
	f.Verdict = cloud.Untold
	f.Says = fmt.Sprintf("on, without a default retention of more than %d days; nobody may set one on an object, and a bucket without object lock is better", int(erase/day))
	return f
}

// lifecycle is the rules in force that concern objects under prefix. None is no error.
func lifecycle(ctx context.Context, client *s3.Client, bucket, prefix string) (rules []types.LifecycleRule, err error) {
	l, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &bucket})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "NoSuchLifecycleConfiguration" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, r := range l.Rules {
		if r.Status == types.ExpirationStatusEnabled && concerns(r, prefix) {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// concerns is true where it can't be ruled out that a rule is about objects under prefix.
func concerns(r types.LifecycleRule, prefix string) bool {
	of := ""
	if f := r.Filter; f != nil {
		of = aws.ToString(f.Prefix)
		if f.And != nil {
			of = aws.ToString(f.And.Prefix)
		}
	}
	return strings.HasPrefix(of, prefix) || strings.HasPrefix(prefix, of)
}

func expiry(rules []types.LifecycleRule, err error) (out []cloud.Finding) {
	f := cloud.Finding{About: "lifecycle"}
	if err != nil {
		return []cloud.Finding{untoldBy(f, "s3:GetLifecycleConfiguration", err)}
	}
	parts := false
	for _, r := range rules {
		parts = parts || r.AbortIncompleteMultipartUpload != nil
		name := aws.ToString(r.ID)
		if e := r.Expiration; e != nil && (e.Date != nil || aws.ToInt32(e.Days) > 0) {
			out = append(out, cloud.Finding{About: "lifecycle", Verdict: cloud.Bad, Says: fmt.Sprintf("rule %.60q deletes objects that are in use: remove its expiration", name)})
		}
		for _, t := range r.Transitions {
			if t.StorageClass == types.TransitionStorageClassGlacier || t.StorageClass == types.TransitionStorageClassDeepArchive {
				out = append(out, cloud.Finding{About: "lifecycle", Verdict: cloud.Bad, Says: fmt.Sprintf("rule %.60q moves objects to %s, from where they can't be read at once: remove it", name, t.StorageClass)})
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	f.Says = "no rule takes objects away"
	if !parts {
		f.Says += "; none removes the parts of uploads that were broken off either, which cost: add AbortIncompleteMultipartUpload"
	}
	return append(out, f)
}

func untoldBy(f cloud.Finding, right string, err error) cloud.Finding {
	f.Verdict = cloud.Untold
	f.Says = "the bucket doesn't tell; the right " + right + " is needed"
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Says += ": " + api.ErrorCode()
	}
	return f
}
