"""The backend of dash_hub's example: a FastAPI app that knows nothing of the page that asks it."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class DataModel(BaseModel):
    button: int
    num_1: float
    num_2: float


class ResponseModel(BaseModel):
    num_3: float


@app.post("/receive-data/", response_model=ResponseModel)
async def receive_data(data: DataModel):
    return {"num_3": data.num_1 * data.num_2}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=8000)
