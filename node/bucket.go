package node

import (
	"context"
	"errors"
	"fmt"
)

// attach gives the store the member's bucket.
func (n *Node) attach(ctx context.Context, o Options) error {
	if n.Config.Bucket == "" {
		packed, err := n.Store.Packed()
		if err == nil && packed {
			err = errors.New("this member has ciphertext in a bucket: say in vitalog.toml which, as it stood there before")
		}
		return err
	}
	if o.Cloud == nil {
		return errors.New("vitalog.toml has a bucket, and this program reaches no clouds")
	}
	b, err := o.Cloud(ctx, n.Config.Bucket)
	if err != nil {
		return fmt.Errorf("bucket in vitalog.toml: %w", err)
	}
	return n.Store.Attach(b, n.Ring.Storage(), n.Member.Lost)
}
