package awsec2

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"aws-provider-executor/pkg/protocol"
)

// pages asks for page after page until there is no more. What says what they are for, as in
// "read the tags of i-1". Next reads the page of a token, nil for the first one, and returns the
// token of the page after it.
func pages(what string, next func(token *string) (*string, error)) error {
	var token *string
	for {
		again, err := next(token)
		switch {
		case err != nil:
			return err
		case aws.ToString(again) == "":
			return nil
		case token != nil && *again == *token:
			return protocol.Refuse(protocol.Unavailable,
				"cannot %s: EC2 gives the same page over and over; try again", what)
		}
		token = again
	}
}
