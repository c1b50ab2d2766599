package awsec2

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// paged are the reads that may take several pages, with what the answer of each holds.
var paged = map[string]struct {
	list string
	read func(context.Context, *Reader) (int, error)
}{
	"security groups": {"securityGroupInfo",
		func(ctx context.Context, r *Reader) (int, error) {
			found, err := r.securityGroupsOnce(ctx, []string{"sg-1", "sg-2"})
			return len(found), err
		}},
	"interfaces with an address": {"networkInterfaceSet",
		func(ctx context.Context, r *Reader) (int, error) {
			found, err := r.DescribeNetworkInterfacesWithAddress(ctx, "vpc-1", "10.0.0.9")
			return len(found), err
		}},
	"subnets with a block": {"subnetSet",
		func(ctx context.Context, r *Reader) (int, error) {
			found, err := r.DescribeSubnetsWithBlock(ctx, "vpc-1", netip.MustParsePrefix("10.0.0.0/24"))
			return len(found), err
		}},
	"tags": {"tagSet",
		func(ctx context.Context, r *Reader) (int, error) {
			found, err := r.DescribeTags(ctx, "i-1", "i-2")
			return len(found), err
		}},
	"instances": {"reservationSet",
		func(ctx context.Context, r *Reader) (n int, err error) {
			err = r.EachInstance(ctx, "all", ec2model.InstanceQuery{VPCID: "vpc-1"},
				func(ec2model.InstanceSummary) { n++ })
			return n, err
		}},
}

// page is the answer to a read, with one item and the token of the next page.
func page(w http.ResponseWriter, r *http.Request, list, id, next string) {
	item := fmt.Sprintf("<item><groupId>%[1]s</groupId><networkInterfaceId>%[1]s</networkInterfaceId>"+
		"<subnetId>%[1]s</subnetId><resourceId>%[1]s</resourceId><key>k</key><value>v</value>"+
		"<instancesSet><item><instanceId>%[1]s</instanceId>"+
		"<instanceState><name>running</name></instanceState></item></instancesSet></item>", id)
	fmt.Fprintf(w, "<%[1]sResponse><%[2]s>%[3]s</%[2]s><nextToken>%[4]s</nextToken></%[1]sResponse>",
		r.PostForm.Get("Action"), list, item, next)
}

// TestEveryPageIsRead: whatever is read page by page is read to the end.
func TestEveryPageIsRead(t *testing.T) {
	for name, c := range paged {
		t.Run(name, func(t *testing.T) {
			var tokens []string
			r := readerOf(t, func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				token := r.PostForm.Get("NextToken")
				tokens = append(tokens, token)
				next := map[string]string{"": "2", "2": "3"}[token]
				page(w, r, c.list, "id-"+token, next)
			})
			n, err := c.read(t.Context(), r)
			if got := strings.Join(tokens, ","); err != nil || n != 3 || got != ",2,3" {
				t.Errorf("%d of 3, pages %q, %v", n, got, err)
			}
		})
	}
}

// TestPagesEnd: a token that comes back is no next page, and what was read till then is not all.
func TestPagesEnd(t *testing.T) {
	for name, c := range paged {
		t.Run(name, func(t *testing.T) {
			asked := 0
			r := readerOf(t, func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				if asked++; asked > 5 {
					t.Error("it goes on for ever")
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				page(w, r, c.list, "id", "same")
			})
			_, err := c.read(t.Context(), r)
			const want = "EC2 gives the same page over and over; try again"
			if asked != 2 || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("asked %d times: %v", asked, err)
			}
		})
	}
}
