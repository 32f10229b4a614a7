"""Eco-points and J-Credits of a region (地域エコポイントと J-クレジット): FUNCTIONS E1 to E10."""
