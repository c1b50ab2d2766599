package awsec2

import "strconv"

// What is asked of DynamoDB and what it answers, in the form of its JSON protocol: so much of it as
// statetable.go uses.

// values are the attributes of an item, or of an expression, by name.
type values map[string]value

// value is one attribute. It has one of the members: a text, a number or bytes. One of another type
// has none.
type value struct {
	S *string `json:",omitempty"`
	N *string `json:",omitempty"`
	B []byte  `json:",omitempty"`
}

func text(s string) value { return value{S: &s} }

func number(n int64) value {
	digits := strconv.FormatInt(n, 10)
	return value{N: &digits}
}

// batchQuestion is the input of BatchGetItem; it has keys by table.
type batchQuestion struct {
	RequestItems map[string]keysToRead
}

type keysToRead struct {
	Keys           []values
	ConsistentRead bool
}

// batchAnswer has items by table, and the keys that are to be asked for again.
type batchAnswer struct {
	Responses       map[string][]values
	UnprocessedKeys map[string]keysToRead
}

// query is the input of Query.
type query struct {
	TableName                 string
	ConsistentRead            bool
	KeyConditionExpression    string
	ProjectionExpression      string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues values
	ExclusiveStartKey         values `json:",omitempty"`
}

// queryPage is one page of a Query.
type queryPage struct {
	Items            []values
	LastEvaluatedKey values
}

// transaction is the input of TransactWriteItems. It is made once for each token.
type transaction struct {
	ClientRequestToken string
	TransactItems      []transactItem
}

// transactItem is one part of a transaction, of one kind.
type transactItem struct {
	ConditionCheck *write `json:",omitempty"`
	Put            *write `json:",omitempty"`
	Delete         *write `json:",omitempty"`
	Update         *write `json:",omitempty"`
}

// write is what a part says, whatever its kind. Only a Put has an Item, and only the others a Key.
type write struct {
	TableName                 string
	Key                       values            `json:",omitempty"`
	Item                      values            `json:",omitempty"`
	UpdateExpression          string            `json:",omitempty"`
	ConditionExpression       string            `json:",omitempty"`
	ExpressionAttributeNames  map[string]string `json:",omitempty"`
	ExpressionAttributeValues values            `json:",omitempty"`
}
